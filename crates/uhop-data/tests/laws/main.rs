//! Laws of the public interface, and a check against the complete MNIST.

#[cfg(test)]
mod corruption;
#[cfg(test)]
mod idx;
#[cfg(test)]
mod mnist;
#[cfg(test)]
mod store;
