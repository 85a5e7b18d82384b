//! PNG and JPEG, as they are and resized, in both colours.

#![no_main]

use std::cell::RefCell;
use std::fs;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use uhop_data::image_folder::{self, Colour, ReadOptions};
use uhop_fuzz::read;

thread_local! {
    static FOLDER: RefCell<TempDir> =
        RefCell::new(TempDir::new().expect("a folder for temporary files"));
}

fuzz_target!(|bytes: &[u8]| {
    FOLDER.with_borrow(|folder| {
        // The name says neither more nor less than the content, which decides.
        fs::write(folder.path().join("image.png"), bytes).expect("room for one small file");
        for (size, colour) in [(None, Colour::Grey), (Some((5, 3)), Colour::Rgb)] {
            let options = ReadOptions { size, colour };
            let Some(images) = read(image_folder::read(folder.path(), &options)) else { return };
            assert!(images.rows().iter().all(|value| (0.0..=1.0).contains(value)));
            assert_eq!(images.shape().dim(), Some(images.rows().ncols()));
        }
    });
});
