//! One image, from the bytes of its file to values in `[0, 1]`.

use std::io::Cursor;

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageFormat, ImageReader, Limits, Pixel};

use super::{Colour, Problem, ReadOptions};
use crate::bytes::quoted;

pub(super) const MAX_SIDE: u32 = 1 << 14;

const MAX_PIXELS: u64 = 1 << 26;

/// Deflate expands a byte to 1,032 and these hold 8 pixels each at one bit per pixel. A block of 64
/// pixels takes at least two bits in JPEG.
const MAX_PIXELS_PER_BYTE: u64 = 8 * 1032;

const MAX_DECODED: u64 = 1 << 29;

pub(super) struct Decoded {
    /// Width and height.
    pub(super) size: (u32, u32),
    pub(super) values: Vec<f32>,
}

pub(super) fn decode(bytes: &[u8], options: &ReadOptions) -> Result<Decoded, Problem> {
    let damaged =
        |error: image::ImageError| Problem::Damaged { detail: quoted(&error.to_string()) };
    let format = image::guess_format(bytes)
        .ok()
        .filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg))
        .ok_or(Problem::Format)?;
    if format == ImageFormat::Png && !has_whole_colours(bytes) {
        let detail = "the last colour of its palette is incomplete".to_owned();
        return Err(Problem::Damaged { detail });
    }
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
    let size = options.size.unwrap_or((image.width(), image.height()));
    let values = match options.colour {
        Colour::Grey => resized(image.to_luma32f(), size),
        Colour::Rgb => resized(image.into_rgb32f(), size),
    };
    // The filter is an average and luma a weighted one; only rounding can leave the interval.
    let values = values.into_iter().map(|value| value.clamp(0.0, 1.0)).collect();
    Ok(Decoded { size, values })
}

/// Whether every palette of a PNG file is one of three bytes a colour: on others `png` 0.18 panics.
fn has_whole_colours(bytes: &[u8]) -> bool {
    const SIGNATURE: usize = 8;
    const CHECKSUM: usize = 4;
    let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
    while let Some((&[a, b, c, d, kind @ ..], content)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if kind == *b"PLTE" && !length.is_multiple_of(3) {
            return false;
        }
        rest = content.get(length.saturating_add(CHECKSUM)..).unwrap_or_default();
    }
    true
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
