//! How a row is written: a version, its fields, a checksum.
//!
//! ```text
//! row = version (1) ‖ postcard of the fields ‖ check (8)
//! check = first 8 bytes of SHA-256(table's name ‖ key ‖ version ‖ fields)
//! ```
//! The checksum is against a disk that forgets, not against an adversary: redb does not verify what it reads, and a
//! flipped bit in an expiry day or a token hash must not be taken for the truth. Objects have their seal instead.

use crate::{digest::sha256, error::StoreError, schema::Table};
use nightdrop_wire::codec;
use redb::{Key, Value};
use serde::{Serialize, de::DeserializeOwned};

const CHECK: usize = 8;

/// A key of fixed length that redb gives back by value.
pub(crate) trait FixedKey: Key + for<'a> Value<SelfType<'a> = Self> + 'static {}

impl<K: Key + for<'a> Value<SelfType<'a> = K> + 'static> FixedKey for K {}

/// A row of one table.
pub(crate) trait Row: Serialize + DeserializeOwned {
    /// Type of its key.
    type Key: FixedKey;
    /// Its table.
    const TABLE: Table<Self::Key>;
    /// Version of its fields.
    const VERSION: u8 = 1;
}

/// The bytes of a row.
pub(crate) fn encode<R: Row>(key: &R::Key, row: &R) -> Vec<u8> {
    // Rows are plain structures of numbers, arrays and bytes, all of which have a postcard form. Were one without,
    // an empty row would be stored, and read as damaged.
    let fields = codec::encode(row).unwrap_or_default();
    let check = check::<R>(key, R::VERSION, &fields);
    [&[R::VERSION], fields.as_slice(), &check].concat()
}

/// The row of these bytes; [`StoreError::Damaged`] unless [`encode`] wrote them for this key.
pub(crate) fn decode<R: Row>(key: &R::Key, bytes: &[u8]) -> Result<R, StoreError> {
    checked_fields::<R>(key, bytes)
        .and_then(|fields| codec::decode(fields).ok())
        .ok_or(StoreError::Damaged(name_of(&R::TABLE)))
}

fn checked_fields<'b, R: Row>(key: &R::Key, bytes: &'b [u8]) -> Option<&'b [u8]> {
    let (version, rest) = bytes.split_first()?;
    let (fields, expected) = rest.split_at_checked(rest.len().checked_sub(CHECK)?)?;
    (*version == R::VERSION && check::<R>(key, *version, fields) == expected).then_some(fields)
}

fn check<R: Row>(key: &R::Key, version: u8, fields: &[u8]) -> [u8; CHECK] {
    let key = R::Key::as_bytes(key);
    let hash = sha256(&[name_of(&R::TABLE).as_bytes(), key.as_ref(), &[version], fields]);
    let mut check = [0; CHECK];
    for (place, byte) in check.iter_mut().zip(hash) {
        *place = byte;
    }
    check
}

/// The name of a table that is a constant of [`crate::schema`].
pub(crate) fn name_of<K: FixedKey>(table: &Table<K>) -> &'static str {
    table.name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{day::Day, schema::SpentCreditRow};

    #[test]
    fn a_row_is_read_under_its_own_key_only() {
        let row = SpentCreditRow { expires: Day(9) };
        let bytes = encode(&[1; 32], &row);
        assert_eq!(decode::<SpentCreditRow>(&[1; 32], &bytes).unwrap(), row);
        assert!(decode::<SpentCreditRow>(&[2; 32], &bytes).is_err());
    }

    #[test]
    fn every_flipped_missing_or_added_byte_is_damage() {
        let bytes = encode(&[1; 32], &SpentCreditRow { expires: Day(9) });
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(matches!(
                decode::<SpentCreditRow>(&[1; 32], &flipped),
                Err(StoreError::Damaged("spent_credits"))
            ));
            assert!(decode::<SpentCreditRow>(&[1; 32], &bytes[..at]).is_err());
        }
        assert!(decode::<SpentCreditRow>(&[1; 32], &[bytes.as_slice(), &[0]].concat()).is_err());
    }
}
