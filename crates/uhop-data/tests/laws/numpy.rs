use std::path::Path;
use std::process::Command;

use ndarray::Array2;
use uhop_data::{Element, Matrix, npy, npz};

/// Runs a Python script with numpy in a folder, or says why not.
fn python(folder: &Path, script: &str) -> bool {
    let run =
        |script: &str| Command::new("python3").current_dir(folder).args(["-c", script]).output();
    match run("import numpy") {
        Ok(output) if output.status.success() => {}
        _ => {
            eprintln!("skipped: python3 with numpy is not there");
            return false;
        }
    }
    let output = run(script).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}

#[test]
fn files_of_numpy_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let script = "
import numpy as np
a = np.arange(24).reshape(4, 6)
for order in 'CF':
    for descr in ['|i1', '|u1'] + [byte_order + t for byte_order in '<>'
                                   for t in ['i2', 'u2', 'i4', 'u4', 'i8', 'u8', 'f2', 'f4', 'f8']]:
        np.save(f'{order}{descr[1:]}{ord(descr[0])}.npy', np.asarray(a, dtype=descr, order=order))
np.save('rank3-C.npy', a.astype('<f4').reshape(4, 3, 2))
np.save('rank3-F.npy', np.asfortranarray(a.astype('<f4').reshape(4, 3, 2)))
for version in [(1, 0), (2, 0), (3, 0)]:
    with open(f'v{version[0]}.npy', 'wb') as f:
        np.lib.format.write_array(f, a.astype('<f4'), version=version)
np.savez('plain.npz', a=a.astype('f4'), b=a[0].astype('f8'))
np.savez_compressed('packed.npz', a=a.astype('f4'))
";
    if !python(directory.path(), script) {
        return;
    }
    let expected = Array2::from_shape_fn((4, 6), |(i, j)| (6 * i + j) as f32);
    let mut n_files = 0;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "npy") {
            assert_eq!(npy::read(&path).unwrap().into_f32(), expected, "{}", path.display());
            n_files += 1;
        }
    }
    assert_eq!(n_files, 2 * (2 + 2 * 9) + 2 + 3);
    let read = |name: &str, member| npz::read(directory.path().join(name), member);
    assert_eq!(read("plain.npz", Some("a")).unwrap().into_f32(), expected);
    assert_eq!(
        read("plain.npz", Some("b")).unwrap().into_f32(),
        expected.slice(ndarray::s![..1, ..])
    );
    assert_eq!(read("packed.npz", None).unwrap().into_f32(), expected);
}

/// The smallest and the largest of every type come as numpy converts them: to f32 where it holds them all, or
/// else to f64.
#[test]
fn types_of_numpy_come_as_numpy_converts_them() {
    let directory = tempfile::tempdir().unwrap();
    let script = "
import numpy as np
values = {t: [np.iinfo(t).min, -1, 0, np.iinfo(t).max - 1] for t in ['i1', 'i2', 'i4', 'i8']}
values |= {t: [0, 1, 2, np.iinfo(t).max] for t in ['u1', 'u2', 'u4', 'u8']}
values |= {'f2': [-np.inf, -65504, 2**-24, 1 / 3], 'b1': [True, False, False, True]}
for t, of_type in values.items():
    of_type = np.array(of_type, dtype=t)
    np.save(f'{t}-found.npy', of_type)
    np.save(f'{t}-expected.npy', of_type.astype('f8' if t in ['i4', 'u4', 'i8', 'u8'] else 'f4'))
";
    if !python(directory.path(), script) {
        return;
    }
    for of_type in ["b1", "i1", "u1", "i2", "u2", "f2", "i4", "u4", "i8", "u8"] {
        let [found, expected] = ["found", "expected"]
            .map(|name| npy::read(directory.path().join(format!("{of_type}-{name}.npy"))).unwrap());
        assert_eq!(found, expected, "{of_type}");
    }
}

#[test]
fn numpy_reads_what_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let rows = Array2::from_shape_fn((3, 5), |(i, j)| (5 * i + j) as f64 / 10.0);
    let single = Matrix::F32(rows.mapv(|value| value as f32));
    let path = |name: &str| directory.path().join(name);
    npy::write(path("single.npy"), &single).unwrap();
    let mut writer = npy::RowWriter::create(path("grown.npy"), Element::F64, 5).unwrap();
    writer.write(&Matrix::F64(rows.clone())).unwrap();
    writer.commit().unwrap();
    npz::write(path("a.npz"), "patterns", &Matrix::F64(rows)).unwrap();
    let script = "
import numpy as np
a = np.arange(15).reshape(3, 5) / 10
for b in [np.load('grown.npy'), np.load('a.npz')['patterns']]:
    assert b.dtype == 'f8' and (a == b).all()
b = np.load('single.npy')
assert b.dtype == 'f4' and (a.astype('f4') == b).all()
";
    python(directory.path(), script);
}
