//! The parameters that training starts from: by the seed alone, the same on every backend.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::train::seeds::{Use, generator};

/// A module whose linear maps are drawn anew: weights and biases uniform in ±1/√(inputs), as PyTorch has
/// them; everything else stays.
///
/// The device's own generator is one for the whole process, and another for every backend.
pub(super) fn drawn<M: Module>(module: M, seed: u64) -> M {
    module.map(&mut Drawing {
        generator: generator(seed, Use::Parameters, 0),
        containers: Vec::new(),
        n_inputs: 1,
    })
}

/// Normal numbers of this deviation, for the `index`-th tensor beside the linear maps, from 1.
pub(super) fn normal<const D: usize>(
    shape: [usize; D],
    deviation: f32,
    seed: u64,
    index: u64,
) -> TensorData {
    let mut generator = generator(seed, Use::Parameters, index);
    let n = shape.iter().product();
    let numbers = (0..n).map(|_| deviation * generator.sample::<f32, _>(StandardNormal));
    TensorData::new(numbers.collect::<Vec<f32>>(), shape)
}

struct Drawing {
    generator: ChaCha8Rng,
    /// The kinds of the modules that the mapper is in.
    containers: Vec<String>,
    /// Of the linear map that it is in; its weight comes before its bias.
    n_inputs: usize,
}

impl ModuleMapper for Drawing {
    fn enter_module(&mut self, _name: &str, container_type: &str) {
        self.containers.push(container_type.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.containers.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.containers.last().is_none_or(|container| container != "Struct:Linear") {
            return param;
        }
        let shape = param.shape().dims::<D>();
        if D == 2 {
            self.n_inputs = shape[0];
        }
        let bound = 1.0 / (self.n_inputs as f32).sqrt();
        let n: usize = shape.iter().product();
        let numbers: Vec<f32> =
            (0..n).map(|_| self.generator.random_range(-bound..=bound)).collect();
        // A new tensor, which gets gradients because it is told so.
        let moves = param.is_require_grad();
        param.map(|tensor| {
            let drawn = TensorData::new(numbers, shape);
            Tensor::from_data(drawn, &tensor.device()).set_require_grad(moves)
        })
    }
}
