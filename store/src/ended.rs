//! What is left of a blob or a ticket that ended: its id, which is never made again, and a witness of the write key that ended it.
//!
//! The witness is a hash of the write key's hash, good for one thing: whoever ended it, and lost the answer, is told so again. It
//! gives no right to anything.

use crate::{
    digest::sha256,
    error::{Failure, StoreError},
    object::ObjectName,
    schema::ENDED,
    transaction::{Changes, Rows, refuse_damage},
};
use nightdrop_wire::token::TokenHash;
use subtle::ConstantTimeEq;

const WITNESS: &[u8] = b"nightdrop ended";

/// Keeps that an object was ended with this write key.
pub(crate) fn keep(changes: &Changes<'_>, object: ObjectName, write_key: &TokenHash) -> Result<(), Failure> {
    changes.put_bytes(&ENDED, &object.bytes(), &witness(write_key))
}

/// Whether an object was ended with this write key.
pub(crate) fn by(rows: &impl Rows, object: ObjectName, write_key: &TokenHash) -> Result<bool, StoreError> {
    let kept = rows.copy(&ENDED, &object.bytes()).map_err(refuse_damage)?;
    Ok(kept.is_some_and(|kept| kept.ct_eq(&witness(write_key)).into()))
}

fn witness(write_key: &TokenHash) -> [u8; 32] {
    sha256(&[WITNESS, write_key.as_bytes()])
}
