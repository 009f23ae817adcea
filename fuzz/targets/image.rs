//! An image reference is refused, or parses into parts that join to the same reference.

use buildpass::claims::Image;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(image) = Image::try_from(text.to_owned()) else { return };
    assert_eq!(image.reference(), text);
    let again = Image::try_from(image.reference().to_owned()).unwrap();
    assert_eq!((again.name(), again.tag(), again.digest()), (image.name(), image.tag(), image.digest()));
}
