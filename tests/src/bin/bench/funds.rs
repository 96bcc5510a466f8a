//! Credits for blobs, laid into the store as the service would, before the worker opens it: one account's quota would not do.

use crate::error::BenchError;
use nightdrop_login::server::{Record, ServerSetup};
use nightdrop_store::{BodyDigest, Day, NewSession, Registration, Store, StoreLimits, token_hash};
use nightdrop_wire::{ids::AccountId, messages::account::RegisterFinish, token::Token};
use rand::Rng;
use rand08::rngs::OsRng;
use std::{path::Path, time::SystemTime};

/// Credits that go into one transaction.
const BATCH: usize = 1_000;
const DAYS: u32 = 7;

/// Makes a store in `directory` that takes `count` credits, and gives them.
pub(crate) async fn credits(directory: &Path, count: usize) -> Result<Vec<Token>, BenchError> {
    let store = Store::open(directory, StoreLimits { credits_per_day: u32::MAX, ..StoreLimits::default() })?;
    let today = Day::of(SystemTime::now());
    let session = session(&store, today).await?;
    let credits: Vec<Token> = (0..count).map(|_| Token::from_bytes(random())).collect();
    for batch in credits.chunks(BATCH) {
        let hashes = batch.iter().map(token_hash).collect();
        store.issue_credits(token_hash(&session), hashes, today, today.plus(DAYS)).await?;
    }
    Ok(credits)
}

/// The relay's login secrets, which every store has that holds accounts.
async fn identity(store: &Store) -> Result<(), BenchError> {
    let setup = ServerSetup::generate(&mut OsRng);
    let decoy = Record::decoy(&mut OsRng).map_err(|_| BenchError::Unexpected("a decoy record"))?;
    store.create_identity(&setup.to_bytes(), decoy.as_bytes(), &mut rand::rng()).await?;
    Ok(())
}

/// A session of an account that nobody can log in to: its record is none.
async fn session(store: &Store, today: Day) -> Result<Token, BenchError> {
    identity(store).await?;
    let (invitation, session) = (Token::from_bytes(random()), Token::from_bytes(random()));
    store.issue_invitation(token_hash(&invitation), today.plus(DAYS)).await?;
    let account = AccountId::from_bytes(random());
    let message = RegisterFinish {
        invitation: invitation.clone(),
        account,
        upload: [0; 192],
        master_key: vec![0; 115],
        recovery: None,
        keyring: vec![0; 300],
    };
    let body = BodyDigest::of(invitation.secret_bytes());
    let registration = Registration { invitation: token_hash(&invitation), message: &message, body };
    store.register(&registration, today, &mut rand::rng()).await?;
    let proved_by = store.login_record(account)?.version;
    let (hash, expires) = (token_hash(&session), today.plus(DAYS));
    store.create_session(NewSession { account, session: hash, began: today, expires, proved_by }).await?;
    Ok(session)
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}
