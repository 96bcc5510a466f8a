//! Bytes in place of random ones: the same in every run.

use rand::{TryCryptoRng, TryRng, rand_core::Infallible};
use sha2::{Digest, Sha256};

/// SHA-256 of a counter, and so on. As a generator of both versions of `rand`.
#[derive(Debug, Clone)]
pub struct Fixed {
    counter: u64,
}

impl Fixed {
    /// A generator; another number gives other bytes.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self { counter: (number as u64) << 32 }
    }

    /// The next bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for block in bytes.chunks_mut(32) {
            let hash = Sha256::digest(self.counter.to_be_bytes());
            block.copy_from_slice(&hash[..block.len()]);
            self.counter += 1;
        }
    }
}

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_be_bytes(self.bytes()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_be_bytes(self.bytes()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

impl rand08::RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        u32::from_be_bytes(self.bytes())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_be_bytes(self.bytes())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.fill(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand08::Error> {
        self.fill(bytes);
        Ok(())
    }
}

impl rand08::CryptoRng for Fixed {}

#[cfg(test)]
mod tests {
    use super::Fixed;

    #[test]
    fn bytes_repeat_for_one_number_and_never_within_it() {
        let (mut one, mut again, mut other) = (Fixed::new(1), Fixed::new(1), Fixed::new(2));
        let first: [u8; 40] = one.bytes();
        assert_eq!(first, again.bytes());
        assert_ne!(first, one.bytes());
        assert_ne!(first, other.bytes());
    }
}
