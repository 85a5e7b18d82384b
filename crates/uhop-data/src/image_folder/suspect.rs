//! Images on which the decoders are known to panic, found by fuzzing and looked for before decoding.

use image::ImageFormat;

/// What is wrong with the image, if it is one of those.
pub(super) fn found(bytes: &[u8], format: ImageFormat) -> Option<&'static str> {
    match format {
        ImageFormat::Png if !has_whole_colours(bytes) => {
            Some("the last colour of its palette is incomplete")
        }
        ImageFormat::Jpeg if !starts_with_the_finest(bytes) => {
            Some("its first component is coarser than another")
        }
        _ => None,
    }
}

/// Whether every palette of a PNG file has three bytes for each colour; `png` 0.18 counts on it.
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

/// Whether no component of a JPEG file is sampled more finely than its first, the luma; `zune-jpeg`
/// 0.5 counts on it.
fn starts_with_the_finest(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let [marker, after @ ..] = rest {
        rest = after;
        let (0xff, [kind, segment @ ..]) = (*marker, after) else { continue };
        // Without a length: fill bytes, restarts, start and end.
        if matches!(kind, 0x00 | 0x01 | 0xd0..=0xd9 | 0xff) {
            continue;
        }
        let Some((&[high, low], content)) = segment.split_first_chunk() else { return true };
        let length = usize::from(u16::from_be_bytes([high, low])).saturating_sub(2);
        let content = &content[..length.min(content.len())];
        if matches!(kind, 0xc0..=0xcf) && !matches!(kind, 0xc4 | 0xc8 | 0xcc) {
            // Depth, height, width and count, then identity, factors and table of each component.
            let (components, _) = content.get(6..).unwrap_or_default().as_chunks::<3>();
            let mut factors =
                components.iter().map(|&[_, factors, _]| (factors >> 4, factors & 15));
            let first = factors.next().unwrap_or_default();
            if factors.any(|(across, down)| across > first.0 || down > first.1) {
                return false;
            }
        }
        rest = segment.get(2 + length..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_fuzzing_found_are_known() {
        let jpeg = include_bytes!("../../tests/corpus/image/jpeg-coarse-first-component");
        assert!(found(jpeg, ImageFormat::Jpeg).is_some());
        let png = include_bytes!("../../tests/corpus/image/png-palette-of-7-bytes");
        assert!(found(png, ImageFormat::Png).is_some());
    }

    #[test]
    fn whole_images_are_not_suspect() {
        let jpeg = include_bytes!("../../tests/corpus/image/jpeg-rgb-17-x-9");
        assert_eq!(found(jpeg, ImageFormat::Jpeg), None);
        let png = include_bytes!("../../tests/corpus/image/png-palette");
        assert_eq!(found(png, ImageFormat::Png), None);
    }
}
