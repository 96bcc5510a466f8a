//! Links and account codes as QR codes: on a terminal, as SVG, as PNG.
//!
//! A picture holds its text in upper case, which our texts allow and for which QR has a form that takes a third less room. What is in it
//! is as secret as the text; `Debug` shows nothing.

use qrcode::{Color, EcLevel, QrCode};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Light modules around a code, without which readers do not find it.
const QUIET: usize = 4;
/// Pixels of a module's side in a PNG.
const PIXELS: usize = 8;

/// A QR code.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct QrPicture {
    /// Modules of a side.
    width: usize,
    /// Row by row.
    dark: Vec<bool>,
}

/// A text is too long for a QR code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is too long for a QR code")]
pub struct TooLong;

impl QrPicture {
    /// The picture of a text that may be read in upper case.
    ///
    /// # Errors
    /// [`TooLong`], beyond some thousand symbols.
    pub fn of(text: &str) -> Result<Self, TooLong> {
        let text = Zeroizing::new(text.to_ascii_uppercase());
        // The least redundancy: a screen has no creases, and a small code fits more terminals.
        let code = QrCode::with_error_correction_level(text.as_bytes(), EcLevel::L).map_err(|_| TooLong)?;
        let width = code.width();
        let dark = code.into_colors().into_iter().map(|color| color == Color::Dark).collect();
        Ok(Self { width, dark })
    }

    /// Modules of a side with the quiet zone.
    const fn side(&self) -> usize {
        self.width + 2 * QUIET
    }

    /// Whether a module is dark; counted with the quiet zone, around which all is light.
    fn is_dark(&self, x: usize, y: usize) -> bool {
        let inside = |place: usize| place.checked_sub(QUIET).filter(|place| *place < self.width);
        let (Some(x), Some(y)) = (inside(x), inside(y)) else { return false };
        self.dark.get(y * self.width + x).copied().unwrap_or(false)
    }

    /// For a terminal: two modules one above the other in each symbol, white on black whatever the terminal's own colours are.
    #[must_use]
    pub fn for_terminal(&self) -> Zeroizing<String> {
        const WHITE_ON_BLACK: &str = "\x1b[97;40m";
        const AS_BEFORE: &str = "\x1b[0m\n";
        let side = self.side();
        // All the room at once: a growing string would leave copies behind.
        let mut text = Zeroizing::new(String::with_capacity(side.div_ceil(2) * (3 * side + 16)));
        for y in (0..side).step_by(2) {
            text.push_str(WHITE_ON_BLACK);
            for x in 0..side {
                text.push(match (self.is_dark(x, y), self.is_dark(x, y + 1)) {
                    (false, false) => '█',
                    (false, true) => '▀',
                    (true, false) => '▄',
                    (true, true) => ' ',
                });
            }
            text.push_str(AS_BEFORE);
        }
        text
    }

    /// As SVG.
    #[must_use]
    pub fn svg(&self) -> Zeroizing<String> {
        let side = self.side();
        let mut svg = Zeroizing::new(String::with_capacity(512 + 24 * self.dark.len()));
        svg.push_str(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\n\
             <path fill=\"#fff\" d=\"M0 0h{side}v{side}h-{side}z\"/>\n<path d=\""
        ));
        for y in 0..side {
            for x in (0..side).filter(|x| self.is_dark(*x, y)) {
                svg.push_str(&format!("M{x} {y}h1v1h-1z"));
            }
        }
        svg.push_str("\"/>\n</svg>\n");
        svg
    }

    /// As PNG: one bit a pixel, not compressed, because there is little of it.
    #[must_use]
    pub fn png(&self) -> Zeroizing<Vec<u8>> {
        let pixels = self.side() * PIXELS;
        let mut rows = Zeroizing::new(Vec::with_capacity(pixels * (1 + pixels.div_ceil(8))));
        for y in 0..pixels {
            // The row is not filtered.
            rows.push(0);
            for first in (0..pixels).step_by(8) {
                let is_light = |bit| !self.is_dark((first + bit) / PIXELS, y / PIXELS);
                rows.push((0..8).fold(0, |byte, bit| byte << 1 | u8::from(is_light(bit))));
            }
        }
        png::one_bit(pixels, &rows)
    }
}

impl std::fmt::Debug for QrPicture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { width: _, dark: _ } = self;
        f.write_str("QrPicture")
    }
}

/// The least of PNG (ISO 15948) that a picture of two colours needs.
mod png {
    use zeroize::Zeroizing;

    const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];
    /// Bytes of a block that is not compressed, at most.
    const BLOCK: usize = 0xffff;

    /// A square of `side` pixels, one bit each, light ones set. Each row begins with its filter.
    pub(super) fn one_bit(side: usize, rows: &[u8]) -> Zeroizing<Vec<u8>> {
        let side = u32::try_from(side).unwrap_or(u32::MAX).to_be_bytes();
        // Depth 1, grey; the only compression, filters and order that there are.
        let header = [side.as_slice(), &side, &[1, 0, 0, 0, 0]].concat();
        let mut image = Zeroizing::new(Vec::with_capacity(rows.len() + rows.len() / BLOCK * 5 + 128));
        image.extend_from_slice(&SIGNATURE);
        chunk(&mut image, b"IHDR", &header);
        chunk(&mut image, b"IDAT", &stored(rows));
        chunk(&mut image, b"IEND", &[]);
        image
    }

    fn chunk(image: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
        image.extend_from_slice(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
        image.extend_from_slice(kind);
        image.extend_from_slice(data);
        image.extend_from_slice(&crc32(kind.iter().chain(data)).to_be_bytes());
    }

    /// A zlib stream (RFC 1950) of blocks that are stored as they are (RFC 1951).
    fn stored(data: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut stream = Zeroizing::new(Vec::with_capacity(data.len() + data.len() / BLOCK * 5 + 16));
        stream.extend_from_slice(&[0x78, 0x01]);
        let mut blocks = data.chunks(BLOCK).peekable();
        while let Some(block) = blocks.next() {
            let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
            stream.push(u8::from(blocks.peek().is_none()));
            stream.extend_from_slice(&length.to_le_bytes());
            stream.extend_from_slice(&(!length).to_le_bytes());
            stream.extend_from_slice(block);
        }
        stream.extend_from_slice(&adler32(data).to_be_bytes());
        stream
    }

    pub(super) fn crc32<'b>(data: impl Iterator<Item = &'b u8>) -> u32 {
        !data.fold(u32::MAX, |crc, byte| {
            (0..8)
                .fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
        })
    }

    pub(super) fn adler32(data: &[u8]) -> u32 {
        const PRIME: u32 = 65_521;
        let (a, b) = data.iter().fold((1, 0), |(a, b), byte| {
            let a = (a + u32::from(*byte)) % PRIME;
            (a, (a + b) % PRIME)
        });
        b << 16 | a
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_envelope::account_code::AccountCode;

    /// What a reader sees of a picture of `side` modules.
    fn read(side: usize, is_dark: impl Fn(usize, usize) -> bool) -> String {
        const SCALE: usize = 4;
        let pixel = |x: usize, y: usize| if is_dark(x / SCALE, y / SCALE) { 0 } else { 255 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side * SCALE, side * SCALE, pixel);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    fn text() -> Zeroizing<String> {
        let relay = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap();
        AccountCode::generate(relay, &mut crate::random::system()).secret_text()
    }

    #[test]
    fn an_account_code_comes_back_from_a_terminal() {
        let text = text();
        let shown = QrPicture::of(&text).unwrap().for_terminal();
        let rows: Vec<Vec<char>> = shown
            .lines()
            .map(|line| {
                line.strip_prefix("\x1b[97;40m").unwrap().strip_suffix("\x1b[0m").unwrap().chars().collect()
            })
            .collect();
        assert!(rows.len() <= 24, "it fits a small terminal: {} lines", rows.len());
        let side = rows[0].len();
        let dark = |x: usize, y: usize| match (rows[y / 2][x], y % 2) {
            (' ', _) | ('▄', 0) | ('▀', 1) => true,
            ('█', _) | ('▄', 1) | ('▀', 0) => false,
            other => panic!("{other:?}"),
        };
        let read = read(side, dark);
        assert_eq!(read, text.to_uppercase());
        assert_eq!(AccountCode::from_text(&read).unwrap().secret_text(), text);
    }

    #[test]
    fn an_account_code_comes_back_from_an_svg() {
        let text = text();
        let svg = QrPicture::of(&text).unwrap().svg();
        let side: usize = svg.split("0 0 ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let path = svg.split("<path d=\"").nth(1).unwrap();
        let dark: Vec<(usize, usize)> = path
            .split('M')
            .skip(1)
            .map(|square| {
                let (x, rest) = square.split_once(' ').unwrap();
                (x.parse().unwrap(), rest.split_once("h1v1h-1z").unwrap().0.parse().unwrap())
            })
            .collect();
        assert_eq!(read(side, |x, y| dark.contains(&(x, y))), text.to_uppercase());
    }

    #[test]
    fn an_account_code_comes_back_from_a_png() {
        let text = text();
        let image = QrPicture::of(&text).unwrap().png();
        let (header, rest) = image.split_at(33);
        assert_eq!(header[..16], *b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
        let side = u32::from_be_bytes(header[16..20].try_into().unwrap()) as usize;
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        assert_eq!(rest[4..8], *b"IDAT");
        assert_eq!(rest[8 + length + 4..], *b"\0\0\0\0IEND\xae\x42\x60\x82");
        // Zlib's two bytes, then blocks of a mark, two lengths, and what is stored.
        let (mut blocks, mut rows) = (&rest[10..8 + length - 4], Vec::new());
        while let Some((block, after)) = blocks.split_first_chunk::<5>() {
            let stored = usize::from(u16::from_le_bytes([block[1], block[2]]));
            assert_eq!([block[1], block[2]], [!block[3], !block[4]]);
            rows.extend_from_slice(&after[..stored]);
            blocks = &after[stored..];
            assert_eq!(block[0] == 1, blocks.is_empty(), "the last one says so");
        }
        let bytes_per_row = 1 + side.div_ceil(8);
        assert_eq!(rows.len(), side * bytes_per_row);
        let dark = |x: usize, y: usize| {
            let (x, y) = (x * PIXELS, y * PIXELS);
            rows[y * bytes_per_row + 1 + x / 8] >> (7 - x % 8) & 1 == 0
        };
        assert_eq!(read(side / PIXELS, dark), text.to_uppercase());
    }

    #[test]
    fn checksums_are_those_of_the_standards() {
        assert_eq!(png::crc32(b"123456789".iter()), 0xcbf4_3926);
        assert_eq!(png::adler32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn what_no_code_holds_is_an_error_and_debug_shows_nothing() {
        assert_eq!(QrPicture::of(&"A".repeat(8_000)).err(), Some(TooLong));
        assert_eq!(format!("{:?}", QrPicture::of(&text()).unwrap()), "QrPicture");
    }
}
