//! Where a training runs.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::error::{Error, Result};

/// Where a training runs.
///
/// ```
/// use uhop_nn::train::DeviceName;
///
/// assert_eq!("cpu".parse::<DeviceName>()?, DeviceName::Cpu);
/// assert!("tpu".parse::<DeviceName>().unwrap_err().to_string().contains("cuda"));
/// # Ok::<(), uhop_nn::train::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceName {
    /// The processor.
    #[default]
    Cpu,
    /// The first graphics card, by CUDA: feature `cuda`.
    Cuda,
    /// The best graphics card, by the interface the machine has: features `wgpu` and `vulkan`.
    Wgpu,
}

impl DeviceName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Cuda, Self::Wgpu];

    /// `"cpu"`, `"cuda"`, `"wgpu"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Wgpu => "wgpu",
        }
    }

    /// The device, with gradients.
    ///
    /// # Errors
    /// [`is_input`](Error::is_input) when the program was built without it, or the machine has none.
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::flex().autodiff()),
            #[cfg(feature = "cuda")]
            Self::Cuda => self.card(burn::tensor::DeviceType::Cuda, || Device::cuda(0)),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => self.card(burn::tensor::DeviceType::Wgpu, || {
                Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)
            }),
            #[cfg(not(all(feature = "cuda", feature = "wgpu")))]
            _ => Err(Error::configuration(format!(
                "this program was built without {self}; build it with `--features {self}`"
            ))),
        }
    }

    /// A graphics card, if the machine has one of the kind.
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    fn card(self, kind: burn::tensor::DeviceType, open: fn() -> Device) -> Result<Device> {
        if Device::enumerate(kind).is_empty() {
            let problem = format!("{self} finds no graphics card here; train on cpu");
            return Err(Error::configuration(problem));
        }
        Ok(open().autodiff())
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DeviceName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|device| device.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::configuration(format!("there is no device {name:?}; choose one of {names}"))
        })
    }
}

impl TryFrom<String> for DeviceName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        name.parse()
    }
}

impl From<DeviceName> for String {
    fn from(device: DeviceName) -> Self {
        device.name().to_owned()
    }
}
