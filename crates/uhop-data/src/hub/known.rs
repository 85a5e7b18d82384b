//! What is known of the files on the hub.

use crate::datasets::{Dataset, Split};

/// The one file of a split.
pub(super) struct Known {
    pub(super) repository: &'static str,
    pub(super) revision: &'static str,
    pub(super) file: &'static str,
    /// Where several independent projects publish the same one for this revision.
    pub(super) sha256: Option<&'static str>,
}

impl Known {
    pub(super) fn of(dataset: Dataset, split: Split) -> Self {
        let (repository, revision) = match dataset {
            Dataset::Mnist => ("ylecun/mnist", "77f3279092a1c1579b2250db8eafed0ad422088c"),
            Dataset::Cifar10 => ("uoft-cs/cifar10", "0b2714987fa478483af9968de7c934580d0bb9a2"),
            Dataset::Cifar100 => ("uoft-cs/cifar100", "aadb3af77e9048adbea6b47c21a81e47dd092ae5"),
            Dataset::TinyImagenet => {
                ("zh-plus/tiny-imagenet", "5a77092c28e51558c5586e9c5eb71a7e17a5e43f")
            }
        };
        let (file, sha256) = match (dataset, split) {
            (Dataset::Mnist, Split::Train) => (
                "mnist/train-00000-of-00001.parquet",
                Some("f2c01285a9f89399335b00ee4e8d499dc4e46db5e39c74903ce5618d895eb3bf"),
            ),
            (Dataset::Mnist, Split::Test) => (
                "mnist/test-00000-of-00001.parquet",
                Some("d49fcf556ce25b002b302e318ce4a11098bbfe5d4499c3f35d7c72297c52374b"),
            ),
            (Dataset::Cifar10, Split::Train) => (
                "plain_text/train-00000-of-00001.parquet",
                Some("8428b53a88a11ac374111006708df51469e315a22ac6d66470afd9c78d2ae883"),
            ),
            (Dataset::Cifar10, Split::Test) => (
                "plain_text/test-00000-of-00001.parquet",
                Some("841389e6f2d64f28bf17310e430aebac20ec3ba611a3c5e231dc93c645ce84de"),
            ),
            (Dataset::Cifar100, Split::Train) => (
                "cifar100/train-00000-of-00001.parquet",
                Some("694865d6b990e234804f01268586c41e88bcbbb75e20858432c05ad4081aca23"),
            ),
            (Dataset::Cifar100, Split::Test) => (
                "cifar100/test-00000-of-00001.parquet",
                Some("98776c529bb146a9c791229df74a5cf076be9b43d82dbbd334b6a7788d73dc68"),
            ),
            (Dataset::TinyImagenet, Split::Train) => {
                ("data/train-00000-of-00001-1359597a978bc4fa.parquet", None)
            }
            (Dataset::TinyImagenet, Split::Test) => {
                ("data/valid-00000-of-00001-70d52db3c749a935.parquet", None)
            }
        };
        Self { repository, revision, file, sha256 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is fetched is what `Dataset::load` looks for.
    #[test]
    fn files_are_where_they_are_looked_for() {
        for dataset in Dataset::ALL {
            for split in [Split::Train, Split::Test] {
                let known = Known::of(dataset, split);
                let pattern = dataset.files(split).pop().unwrap();
                let (start, end) = pattern.split_once('*').unwrap();
                assert!(
                    known.file.starts_with(start) && known.file.ends_with(end),
                    "{}",
                    known.file
                );
                let is_hex =
                    |text: &str| text.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
                assert!(known.revision.len() == 40 && is_hex(known.revision));
                assert!(known.sha256.is_none_or(|sum| sum.len() == 64 && is_hex(sum)));
            }
        }
    }
}
