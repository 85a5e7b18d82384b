//! Laws of the public interface, and checks against the complete MNIST and against numpy.

#[cfg(test)]
mod batches;
#[cfg(test)]
mod corruption;
#[cfg(test)]
mod csv;
#[cfg(test)]
mod datasets;
#[cfg(feature = "hub")]
#[cfg(test)]
mod hub;
#[cfg(test)]
mod idx;
#[cfg(test)]
mod image_folder;
#[cfg(test)]
mod kind;
#[cfg(test)]
mod mnist;
#[cfg(test)]
mod npy;
#[cfg(test)]
mod npz;
#[cfg(test)]
mod numpy;
#[cfg(test)]
mod output;
#[cfg(test)]
mod parquet;
#[cfg(test)]
mod safetensors;
#[cfg(test)]
mod store;
#[cfg(test)]
mod support;
