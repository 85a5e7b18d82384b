//! One image, from the bytes of its file to values in `[0, 1]`.

use std::io::Cursor;

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageFormat, ImageReader, Limits, Pixel};

use super::{Colour, Problem, ReadOptions, suspect};
use crate::bytes::quoted;

pub(super) const MAX_SIDE: u32 = 1 << 14;

const MAX_PIXELS: u64 = 1 << 26;

/// Deflate expands a byte to 1,032 and these hold 8 pixels each at one bit per pixel. A block of 64
/// pixels takes at least two bits in JPEG.
const MAX_PIXELS_PER_BYTE: u64 = 8 * 1032;

const MAX_DECODED: u64 = 1 << 29;

pub(crate) struct Decoded {
    /// Width and height.
    pub(crate) size: (u32, u32),
    pub(crate) values: Vec<f32>,
    /// Whether the pixels were compressed with loss.
    pub(crate) is_jpeg: bool,
}

pub(crate) fn decode(bytes: &[u8], options: &ReadOptions) -> Result<Decoded, Problem> {
    let format = image::guess_format(bytes)
        .ok()
        .filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg))
        .ok_or(Problem::Format)?;
    if let Some(detail) = suspect::found(bytes, format) {
        return Err(Problem::Damaged { detail: detail.to_owned() });
    }
    // A decoder that panics on what is not known to `suspect` says no more than that.
    let image = std::panic::catch_unwind(|| pixels(bytes, format));
    let image = image.unwrap_or_else(|_| {
        Err(Problem::Damaged { detail: "its decoder gave up without a reason".to_owned() })
    })?;
    let size = options.size.unwrap_or((image.width(), image.height()));
    let values = match options.colour {
        Colour::Grey => resized(image.to_luma32f(), size),
        Colour::Rgb => resized(image.into_rgb32f(), size),
    };
    // The filter is an average and luma a weighted one; only rounding can leave the interval.
    let values = values.into_iter().map(|value| value.clamp(0.0, 1.0)).collect();
    Ok(Decoded { size, values, is_jpeg: format == ImageFormat::Jpeg })
}

/// The pixels of an image, upright, when there are not too many.
fn pixels(bytes: &[u8], format: ImageFormat) -> Result<DynamicImage, Problem> {
    let damaged =
        |error: image::ImageError| Problem::Damaged { detail: quoted(&error.to_string()) };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED);
    reader.limits(limits);
    // Knows the size, and has not taken memory for the pixels yet.
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    let n_pixels = u64::from(width) * u64::from(height);
    let limit = MAX_PIXELS.min((bytes.len() as u64).saturating_mul(MAX_PIXELS_PER_BYTE));
    let is_small = width <= MAX_SIDE && height <= MAX_SIDE && n_pixels <= limit;
    if !is_small || decoder.total_bytes() > MAX_DECODED {
        let n_bytes = bytes.len();
        return Err(Problem::TooLarge { width, height, n_bytes, max_side: MAX_SIDE, limit });
    }
    let orientation = decoder.orientation().map_err(damaged)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// The values of an image in this width and height.
fn resized<P>(image: ImageBuffer<P, Vec<f32>>, size: (u32, u32)) -> Vec<f32>
where
    P: Pixel<Subpixel = f32> + 'static,
{
    if image.dimensions() == size {
        return image.into_raw();
    }
    imageops::resize(&image, size.0, size.1, FilterType::Triangle).into_raw()
}
