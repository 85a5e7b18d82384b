//! PNG: pictures as they are, drawings through the renderer with the built-in font.

use std::sync::{Arc, OnceLock};

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb::Database};

use super::drawing::{Drawing, Failure, failure, steps};
use super::model::Image;
use super::text::{Weight, font};

/// Pixels of the file for a pixel of the drawing.
const SCALE: f64 = 2.0;
/// The most pixels along one side of a file.
const MAX_SIDE: f64 = 8192.0;

/// A picture as PNG.
fn png(image: &Image) -> Result<Vec<u8>, image::ImageError> {
    let colour = if image.is_rgb() { ExtendedColorType::Rgb8 } else { ExtendedColorType::L8 };
    encode(image.samples(), image.width() as u32, image.height() as u32, colour)
}

/// A picture as an element of a drawing, its place in pixels.
pub(super) fn placed(
    image: &Image,
    left: f64,
    top: f64,
    width: f64,
    height: f64,
) -> Result<String, Failure> {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let png = BASE64_STANDARD.encode(png(image).map_err(failure)?);
    let [left, top, width, height] = [left, top, width, height].map(steps);
    Ok(format!(
        "<image x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" \
         preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" \
         href=\"data:image/png;base64,{png}\"/>\n"
    ))
}

/// A drawing as PNG, twice as large as on the page.
pub(super) fn render(drawing: &Drawing) -> Result<Vec<u8>, String> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        let mut fonts = Database::new();
        fonts.load_font_data(font(Weight::Regular).to_vec());
        fonts.load_font_data(font(Weight::Bold).to_vec());
        fonts.set_sans_serif_family("DejaVu Sans");
        Arc::new(fonts)
    });
    let options = Options { fontdb: Arc::clone(fonts), ..Options::default() };
    let tree = Tree::from_str(&drawing.file(), &options).map_err(|error| error.to_string())?;
    let (width, height) = drawing.file_size();
    let scale = SCALE.min(MAX_SIDE / width.max(height));
    let (wide, high) = ((width * scale).round() as u32, (height * scale).round() as u32);
    let mut pixels = Pixmap::new(wide.max(1), high.max(1)).ok_or("too large for a picture")?;
    let size = tree.size();
    let to_file = Transform::from_scale(wide as f32 / size.width(), high as f32 / size.height());
    resvg::render(&tree, to_file, &mut pixels.as_mut());
    // On paper: every pixel is opaque.
    let rgb: Vec<u8> = pixels.data().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    encode(&rgb, pixels.width(), pixels.height(), ExtendedColorType::Rgb8)
        .map_err(|error| error.to_string())
}

fn encode(
    samples: &[u8],
    width: u32,
    height: u32,
    colour: ExtendedColorType,
) -> Result<Vec<u8>, image::ImageError> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(samples, width, height, colour)?;
    Ok(bytes)
}
