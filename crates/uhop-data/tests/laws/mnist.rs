use std::path::Path;

use uhop_data::idx;

/// Published statistics of the training pixels scaled to `[0, 1]`: mean 0.1307, std 0.3081.
#[test]
fn the_training_set_has_the_published_statistics() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/mnist");
    let path = directory.join("train-images-idx3-ubyte.gz");
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return;
    }
    let images = idx::read_images(path).unwrap();
    let patterns = images.patterns();
    assert_eq!(patterns.dim(), (60_000, 784));
    assert_eq!((images.height(), images.width()), (28, 28));

    let n = patterns.len() as f64;
    let mean = patterns.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let variance = patterns.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
    assert_eq!(format!("{mean:.4}"), "0.1307");
    assert_eq!(format!("{:.4}", variance.sqrt()), "0.3081");

    let labels = idx::read_labels(directory.join("train-labels-idx1-ubyte.gz")).unwrap();
    assert_eq!(labels.len(), 60_000);
    assert_eq!(labels[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
}
