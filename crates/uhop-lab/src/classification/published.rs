//! The authors' numbers (Wu, Hu, Hsiao, Liu 2024, table 1), without those that are in doubt.

/// The largest training and test accuracy, in percent.
pub fn accuracies(dataset: &str, contender: &str) -> Option<(f64, f64)> {
    let numbers = match (dataset, contender) {
        ("cifar10", "dense") => (56.0, 52.2),
        ("cifar10", "uhop-dense") => (64.6, 55.2),
        ("cifar10", "sparse") => (55.9, 52.0),
        ("cifar10", "uhop-sparse") => (66.4, 55.4),
        ("cifar100", "dense") => (32.3, 26.3),
        ("cifar100", "uhop-dense") => (44.1, 28.7),
        // Of the sparse model the training accuracies on CIFAR-100 and Tiny ImageNet are probably misprinted.
        ("cifar100", "uhop-sparse") => (45.4, 29.0),
        ("tiny-imagenet", "dense") => (48.9, 12.2),
        ("tiny-imagenet", "uhop-dense") => (61.4, 12.7),
        ("tiny-imagenet", "uhop-sparse") => (60.6, 12.5),
        _ => return None,
    };
    Some(numbers)
}
