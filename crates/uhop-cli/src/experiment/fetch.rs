//! Data sets from the hub, for experiments and trainings that ask for them.

use std::path::PathBuf;

use uhop_data::datasets::{Dataset, Split};
use uhop_data::hub::Hub;
use uhop_lab::{DataSet, Spec};

use crate::console::Console;
use crate::failure::Failure;

/// The training images of every data set of an experiment.
pub(super) fn data_sets(spec: &Spec, console: &Console) -> Result<Vec<DataSet>, Failure> {
    let mut all = Vec::new();
    for &dataset in &spec.datasets {
        let folder = folder(dataset, &[Split::Train], console)?;
        let of_one = Spec { datasets: vec![dataset], ..spec.clone() };
        all.extend(DataSet::find(&folder, &of_one)?);
    }
    Ok(all)
}

/// The folder with these splits of a data set, which are fetched if they are not in the cache.
pub(crate) fn folder(
    dataset: Dataset,
    splits: &[Split],
    console: &Console,
) -> Result<PathBuf, Failure> {
    let hub = Hub::from_env()?;
    let mut folder = PathBuf::new();
    for &split in splits {
        console.note(&format!("{}, {split} images: from the hub or its cache", dataset.title()));
        let bar = console.timed_bar(dataset.title());
        let fetched = hub.fetch(dataset, split, |download| {
            bar.set_length(download.all);
            bar.set_position(download.done);
            let [done, all] = [download.done, download.all].map(|bytes| bytes as f64 / 1e6);
            bar.set_message(format!("{done:.1} of {all:.1} MB"));
        });
        bar.finish_and_clear();
        // Of one repository and revision: the same folder for each.
        folder = fetched?;
    }
    Ok(folder)
}
