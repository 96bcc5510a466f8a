//! Credits for blobs, issued as the relay would, before the worker opens its store: one account's quota would not do.

use crate::{credits::issue, error::BenchError};
use nightdrop_credit::{Issuer, good_until};
use nightdrop_login::server::{Record, ServerSetup};
use nightdrop_store::{Day, Store, StoreLimits};
use nightdrop_wire::{denomination::Denomination, messages::credit::Credit};
use rand08::rngs::OsRng;
use std::{path::Path, time::SystemTime};

/// How many of these credits pay a price.
pub(crate) fn credits_for(price: u32) -> usize {
    price.div_ceil(Denomination::Largest.units()) as usize
}

/// Makes a store in `directory` and gives credits of its relay.
pub(crate) async fn credits(directory: &Path, count: usize) -> Result<Vec<Credit>, BenchError> {
    let store = Store::open(directory, StoreLimits::default())?;
    let setup = ServerSetup::generate(&mut OsRng);
    let decoy = Record::decoy(&mut OsRng).map_err(|_| BenchError::Unexpected("a decoy record"))?;
    store.create_identity(&setup.to_bytes(), decoy.as_bytes(), &mut rand::rng()).await?;
    let seed = setup.issuing_seed().map_err(|_| BenchError::Unexpected("the issuing seed"))?;
    let issuer = Issuer::from_seed(&seed).map_err(|_| BenchError::Unexpected("the issuing key"))?;
    let expires = good_until(Day::of(SystemTime::now()).0);
    issue(&issuer, count, expires).map_err(|_| BenchError::Unexpected("the credits"))
}
