//! The smallest pictures that are whole, and a large one.

use std::io::Cursor;

/// One black pixel as JPEG: quantisation all ones, and Huffman tables of one code each.
pub(crate) fn jpeg() -> Vec<u8> {
    jpeg_of(0)
}

/// The same picture, made so many bytes long by comments; a few more where that many can't be.
pub(crate) fn jpeg_of(length: usize) -> Vec<u8> {
    const START: &[u8] = b"\xFF\xD8\xFF\xE0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00";
    const REST: &[u8] = b"\xFF\xC0\x00\x0B\x08\x00\x01\x00\x01\x01\x01\x11\x00\
        \xFF\xC4\x00\x14\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
        \xFF\xC4\x00\x14\x10\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
        \xFF\xDA\x00\x08\x01\x01\x00\x00\x3F\x00\x3F\xFF\xD9";
    let mut picture = START.to_vec();
    picture.extend_from_slice(b"\xFF\xDB\x00\x43\x00");
    picture.extend_from_slice(&[1; 64]);
    while picture.len() + REST.len() < length {
        // A comment is at most 65,533 bytes long, and its marker and length take four bytes more.
        let comment = (length - picture.len() - REST.len()).saturating_sub(4).min(65_533);
        picture.extend_from_slice(b"\xFF\xFE");
        picture.extend_from_slice(&u16::try_from(comment + 2).expect("a short comment").to_be_bytes());
        picture.resize(picture.len() + comment, b'.');
    }
    picture.extend_from_slice(REST);
    picture
}

/// One pixel as PNG.
pub(crate) fn png() -> Vec<u8> {
    b"\x89PNG\r\n\x1A\n\
      \x00\x00\x00\x0DIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00\x3A\x7E\x9B\x55\
      \x00\x00\x00\x0AIDAT\x78\x9C\x63\x60\x00\x00\x00\x02\x00\x01\x48\xAF\xA4\x71\
      \x00\x00\x00\x00IEND\xAE\x42\x60\x82"
        .to_vec()
}

/// A picture of 3 MB that stays as large when it is encoded anew: no two pixels are alike.
pub(crate) fn noise() -> Vec<u8> {
    let mut seed: u32 = 1;
    let picture = image::RgbImage::from_fn(1024, 1024, |_, _| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        let [red, green, blue, _] = seed.to_le_bytes();
        image::Rgb([red, green, blue])
    });
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).expect("memory to write to");
    png.into_inner()
}
