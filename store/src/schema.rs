//! The tables and their rows: everything that is on the relay's disk.
//!
//! ```text
//! meta             0 → schema version (u32, little-endian, bare: every release must be able to read it)
//!                  1 → bytes in use (u64, little-endian, bare), see `volume`
//! clock            0 → ClockRow                          see `clock`
//! identity         0 → IdentityRow                      the relay's OPAQUE set-up, decoy and pinned address
//! invitations      SHA-256 of token → InvitationRow
//! accounts         account → AccountRow                 sealed master key and keyring
//! login_records    account or decoy → sealed record     OPAQUE records, bare at-rest seals of one length
//! recoveries       recovery id → RecoveryRow
//! guesses          place → GuessRow                     see `guesses`
//! sessions         SHA-256 of token → SessionRow
//! account_sessions account → AccountSessionsRow         the same sessions, oldest first
//! spent_credits    SHA-256 of nonce → SpentCreditRow    nothing tells whose they were
//! credit_quotas    account → CreditQuotaRow
//! quotas           account → QuotaRow                   where the operator set one
//! blobs            blob → BlobRow
//! chunks           (blob, n) → at-rest seal             up to 2^20 − 28 bytes: one page with its key
//! chunk_hashes     (blob, n) → ChunkHashRow             so that finishing need not read chunks
//! manifests        blob → at-rest seal
//! tickets          ticket → TicketRow
//! blob_tickets     (blob, ticket) → BlobTicketRow       so that a blob's end finds its tickets
//! claims           ticket ‖ SHA-256 of token → ClaimRow
//! logs             space → LogRow
//! log_entries      (space, n) → LogEntryRow              each with the hash of the chain up to it
//! at_rest_keys     object → key (32)                    see `at_rest_keys`
//! ended            object → witness of its write key     ids that are never made again, see `ended`
//! refunds          blob → RefundRow                      what a blob that ended gives back, for some days
//! doomed           blob → DoomedRow                      its chunks are being removed, see `removal`
//! set_aside        blob → SetAsideRow                    a part of it could not be removed
//! ```
//! Rows are written as [`crate::row`] says.

use crate::{
    day::Day,
    guesses::Minute,
    object::ObjectName,
    row::{FixedKey, Row},
};
use nightdrop_wire::{
    denomination::Denomination,
    ids::{AccountId, BlobId, RecoveryId},
    messages::{blob::ChunkHash, log::LogHead},
    onion::OnionAddress,
    quarter::QuarterHour,
    token::TokenHash,
};
use redb::TableDefinition;
use serde::{Deserialize, Serialize};

/// Version of everything below. There is no release yet, hence no other version to read.
pub(crate) const SCHEMA_VERSION: u32 = 10;

/// A table with values of any length.
pub(crate) struct Table<K: FixedKey> {
    /// Its name in the file, which is also bound into seals and checksums.
    pub(crate) name: &'static str,
    key: std::marker::PhantomData<K>,
}

impl<K: FixedKey> Table<K> {
    const fn new(name: &'static str) -> Self {
        Self { name, key: std::marker::PhantomData }
    }

    /// redb's handle.
    pub(crate) fn definition(&self) -> TableDefinition<'static, K, &'static [u8]> {
        TableDefinition::new(self.name)
    }
}

/// Key of a table with a single row.
pub(crate) const ONLY: u8 = 0;
/// Key of the bytes in use, in table `meta`.
pub(crate) const VOLUME: u8 = 1;

/// Key of a chunk: its blob and its index.
pub(crate) type ChunkKey = ([u8; 16], u32);
/// Key of a ticket as a part of its blob.
pub(crate) type BlobTicketKey = ([u8; 16], [u8; 16]);
/// Key of a claim: its ticket (16) and what is kept of its token (32).
pub(crate) type ClaimKey = [u8; 48];
/// Key of an entry: its space and its number in the log.
pub(crate) type LogEntryKey = ([u8; 32], u32);

pub(crate) const META: Table<u8> = Table::new("meta");
pub(crate) const LOGIN_RECORDS: Table<[u8; 10]> = Table::new("login_records");
pub(crate) const CHUNKS: Table<ChunkKey> = Table::new("chunks");
pub(crate) const MANIFESTS: Table<[u8; 16]> = Table::new("manifests");
pub(crate) const AT_REST_KEYS: Table<[u8; ObjectName::LENGTH]> = Table::new("at_rest_keys");
pub(crate) const ENDED: Table<[u8; ObjectName::LENGTH]> = Table::new("ended");

/// Calls `$each!(table)` for every table.
macro_rules! for_each_table {
    ($each:ident) => {
        $each!($crate::schema::META);
        $each!($crate::schema::ClockRow::TABLE);
        $each!($crate::schema::IdentityRow::TABLE);
        $each!($crate::schema::InvitationRow::TABLE);
        $each!($crate::schema::AccountRow::TABLE);
        $each!($crate::schema::LOGIN_RECORDS);
        $each!($crate::schema::RecoveryRow::TABLE);
        $each!($crate::schema::GuessRow::TABLE);
        $each!($crate::schema::SessionRow::TABLE);
        $each!($crate::schema::AccountSessionsRow::TABLE);
        $each!($crate::schema::SpentCreditRow::TABLE);
        $each!($crate::schema::CreditQuotaRow::TABLE);
        $each!($crate::schema::QuotaRow::TABLE);
        $each!($crate::schema::BlobRow::TABLE);
        $each!($crate::schema::CHUNKS);
        $each!($crate::schema::ChunkHashRow::TABLE);
        $each!($crate::schema::MANIFESTS);
        $each!($crate::schema::TicketRow::TABLE);
        $each!($crate::schema::BlobTicketRow::TABLE);
        $each!($crate::schema::ClaimRow::TABLE);
        $each!($crate::schema::LogRow::TABLE);
        $each!($crate::schema::LogEntryRow::TABLE);
        $each!($crate::schema::AT_REST_KEYS);
        $each!($crate::schema::ENDED);
        $each!($crate::schema::RefundRow::TABLE);
        $each!($crate::schema::DoomedRow::TABLE);
        $each!($crate::schema::SetAsideRow::TABLE);
    };
}
pub(crate) use for_each_table;

/// What is remembered of the machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClockRow {
    /// The last day that was believed.
    pub(crate) believed: Day,
    /// What it told last.
    pub(crate) seen: Minute,
    /// What it told when it began to go on steadily.
    pub(crate) began: Minute,
    /// Milliseconds for which it did.
    pub(crate) steady: u64,
    /// Milliseconds that the relay ran since a day was believed.
    pub(crate) since: u64,
}

impl Row for ClockRow {
    type Key = u8;
    const TABLE: Table<u8> = Table::new("clock");
}

/// The relay itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct IdentityRow {
    /// OPAQUE set-up, sealed at rest.
    #[serde(with = "serde_bytes")]
    pub(crate) server_setup: Vec<u8>,
    /// Where the decoy stands among the login records: an id that no account has.
    pub(crate) decoy: AccountId,
    /// Where an account's counters of failed logins stand: see [`crate::guesses`].
    pub(crate) guess_key: [u8; 32],
    /// Once it is known, for good.
    pub(crate) address: Option<OnionAddress>,
}

impl Row for IdentityRow {
    type Key = u8;
    const TABLE: Table<u8> = Table::new("identity");
}

/// An invitation.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct InvitationRow {
    /// Last day on which it registers an account.
    pub(crate) expires: Day,
    /// What became of it.
    pub(crate) state: InvitationState,
}

/// What became of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum InvitationState {
    /// It registers an account.
    Unspent,
    /// Holds the digest of the registration that spent it: enough to answer a repetition, and does not name the
    /// account. Zeros if that registration was refused.
    Spent([u8; 32]),
    /// The operator ended it. Remembered, or the work that earned it would earn it again.
    Revoked,
}

impl Row for InvitationRow {
    type Key = [u8; 32];
    const TABLE: Table<[u8; 32]> = Table::new("invitations");
}

/// An account.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AccountRow {
    /// Master key's envelope, sealed at rest.
    #[serde(with = "serde_bytes")]
    pub(crate) master_key: Vec<u8>,
    /// Where its recovery envelope is, if there is a recovery phrase.
    pub(crate) recovery: Option<RecoveryId>,
    /// Version of the keyring.
    pub(crate) keyring_version: u64,
    /// Keyring's envelope, sealed at rest.
    #[serde(with = "serde_bytes")]
    pub(crate) keyring: Vec<u8>,
    /// Digest of the request that last changed it: enough to answer a repetition.
    pub(crate) changed_by: Option<[u8; 32]>,
}

impl Row for AccountRow {
    type Key = [u8; 10];
    const TABLE: Table<[u8; 10]> = Table::new("accounts");
}

/// What the holder of a recovery phrase finds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RecoveryRow {
    /// Whose it is.
    pub(crate) account: AccountId,
    /// Authorizes a new password.
    pub(crate) token: TokenHash,
    /// Recovery envelope, sealed at rest.
    #[serde(with = "serde_bytes")]
    pub(crate) envelope: Vec<u8>,
}

impl Row for RecoveryRow {
    type Key = [u8; 16];
    const TABLE: Table<[u8; 16]> = Table::new("recoveries");
}

/// A counter of logins that were begun and not finished.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct GuessRow {
    /// How many in a row.
    pub(crate) failures: u32,
    /// When the last one was.
    pub(crate) last: Minute,
}

impl Row for GuessRow {
    type Key = u32;
    const TABLE: Table<u32> = Table::new("guesses");
}

/// A session.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SessionRow {
    /// Whose it is.
    pub(crate) account: AccountId,
    /// Day on which it began.
    pub(crate) began: Day,
    /// Last day on which it is good.
    pub(crate) expires: Day,
}

impl Row for SessionRow {
    type Key = [u8; 32];
    const TABLE: Table<[u8; 32]> = Table::new("sessions");
}

/// The sessions of one account.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct AccountSessionsRow {
    /// Oldest first.
    pub(crate) sessions: Vec<TokenHash>,
}

impl Row for AccountSessionsRow {
    type Key = [u8; 10];
    const TABLE: Table<[u8; 10]> = Table::new("account_sessions");
}

/// A spent credit, remembered as long as it would pay.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SpentCreditRow {
    /// Last day on which it would have paid.
    pub(crate) expires: Day,
}

impl Row for SpentCreditRow {
    type Key = [u8; 32];
    const TABLE: Table<[u8; 32]> = Table::new("spent_credits");
}

/// What an account drew.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CreditQuotaRow {
    /// Period of the last draw.
    pub(crate) period: u32,
    /// Units for which it drew credits in that period.
    pub(crate) drawn: u64,
    /// The last draw, which may be asked for again after a lost answer.
    pub(crate) last: LastDraw,
}

/// One draw.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LastDraw {
    /// Digest of the request.
    pub(crate) request: [u8; 32],
    /// How many credits of each denomination it was.
    pub(crate) given: [u16; Denomination::COUNT],
    /// How often it was asked for again.
    pub(crate) repeats: u8,
}

impl Row for CreditQuotaRow {
    type Key = [u8; 10];
    const TABLE: Table<[u8; 10]> = Table::new("credit_quotas");
}

/// What an account may draw in a period.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct QuotaRow {
    /// Bytes of stored room.
    pub(crate) bytes: u64,
}

impl Row for QuotaRow {
    type Key = [u8; 10];
    const TABLE: Table<[u8; 10]> = Table::new("quotas");
}

/// A blob.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BlobRow {
    /// Reads.
    pub(crate) read_token: TokenHash,
    /// Writes, makes tickets, destroys.
    pub(crate) write_key: TokenHash,
    /// Chunks, padding included.
    pub(crate) chunks: u32,
    /// Whether it may still change.
    pub(crate) state: BlobState,
    /// Day on which it was made; once it is finished, the first day of that week.
    pub(crate) created: Day,
    /// Last day of its lease: the end of a season.
    pub(crate) until: Day,
    /// Digest of the request that made it.
    pub(crate) request: [u8; 32],
    /// Of the first credit that paid for it, which pays for nothing else: who shows it may send that request again.
    pub(crate) receipt: TokenHash,
    /// Units that were paid for its lease.
    pub(crate) paid: u32,
    /// Digest of the request that last paid for more of it: chunks, or time.
    pub(crate) paid_by: Option<[u8; 32]>,
}

/// Whether a blob may still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum BlobState {
    /// Chunks may be added and replaced; nothing is readable.
    Open,
    /// Nothing of what it holds changes any more.
    Finished {
        /// Digest of what it was finished with.
        with: [u8; 32],
        /// What it costs, in units.
        price: u32,
    },
}

impl Row for BlobRow {
    type Key = [u8; 16];
    const TABLE: Table<[u8; 16]> = Table::new("blobs");
}

/// Hash of a stored chunk.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ChunkHashRow(pub(crate) ChunkHash);

impl Row for ChunkHashRow {
    type Key = ChunkKey;
    const TABLE: Table<ChunkKey> = Table::new("chunk_hashes");
}

/// A ticket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TicketRow {
    /// Opens it.
    pub(crate) token: TokenHash,
    /// The blob that it reads.
    pub(crate) blob: BlobId,
    /// Digest of the request that made it.
    pub(crate) request: [u8; 32],
    /// From when on it is over.
    pub(crate) ends: Option<QuarterHour>,
    /// Claims that can still be taken, if it gives a limited number of them.
    pub(crate) left: Option<u16>,
    /// Its envelope, sealed at rest.
    #[serde(with = "serde_bytes")]
    pub(crate) envelope: Vec<u8>,
}

impl Row for TicketRow {
    type Key = [u8; 16];
    const TABLE: Table<[u8; 16]> = Table::new("tickets");
}

/// A ticket as a part of its blob.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BlobTicketRow {
    /// Claims that it gives.
    pub(crate) downloads: u16,
}

impl Row for BlobTicketRow {
    type Key = BlobTicketKey;
    const TABLE: Table<BlobTicketKey> = Table::new("blob_tickets");
}

/// A claim.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClaimRow {
    /// Last day on which it reads.
    pub(crate) expires: Day,
}

impl Row for ClaimRow {
    type Key = ClaimKey;
    const TABLE: Table<ClaimKey> = Table::new("claims");
}

/// What a blob that ended gives back to whoever shows the write key that it had.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RefundRow {
    /// Units.
    pub(crate) units: u32,
    /// Last day on which it can be asked for.
    pub(crate) expires: Day,
    /// The order that was answered; no other one is.
    pub(crate) given: Option<GivenRefund>,
}

/// An order of credits that a blob gave back.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct GivenRefund {
    /// Digest of it.
    pub(crate) order: [u8; 32],
    /// How often it was sent again.
    pub(crate) repeats: u8,
}

impl Row for RefundRow {
    type Key = [u8; 16];
    const TABLE: Table<[u8; 16]> = Table::new("refunds");
}

/// A blob that ended and whose chunks are being removed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DoomedRow {
    /// Chunks before this one are removed.
    pub(crate) next: u32,
    /// Chunks and manifests that could not be.
    pub(crate) damaged: u32,
}

impl Row for DoomedRow {
    type Key = [u8; 16];
    const TABLE: Table<[u8; 16]> = Table::new("doomed");
}

/// A blob that ended and of which something could not be removed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SetAsideRow {
    /// How many of its chunks and manifests, as far as that is known.
    pub(crate) damaged: u32,
}

impl Row for SetAsideRow {
    type Key = [u8; 16];
    const TABLE: Table<[u8; 16]> = Table::new("set_aside");
}

/// A log.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LogRow {
    /// Reads.
    pub(crate) read_token: TokenHash,
    /// Appends.
    pub(crate) append_token: TokenHash,
    /// Where it stands.
    pub(crate) head: LogHead,
    /// Bytes of its entries, sealed at rest.
    pub(crate) bytes: u64,
    /// Bytes that they take, as [`nightdrop_wire::price::of_entry`] counts them.
    pub(crate) taken: u64,
    /// Units that were paid for it in all.
    pub(crate) paid: u32,
    /// Digest of the request that last made it grow.
    pub(crate) grown_by: Option<[u8; 32]>,
    /// Day on which it was made.
    pub(crate) created: Day,
    /// Digest of the request that made it.
    pub(crate) request: [u8; 32],
    /// Of the first credit that paid for it, as for a blob.
    pub(crate) receipt: TokenHash,
}

impl Row for LogRow {
    type Key = [u8; 32];
    const TABLE: Table<[u8; 32]> = Table::new("logs");
}

/// An entry of a log.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LogEntryRow {
    /// Hash of the chain up to and with it.
    pub(crate) chain: [u8; 32],
    /// The entry, sealed at rest.
    #[serde(with = "serde_bytes")]
    pub(crate) entry: Vec<u8>,
}

impl Row for LogEntryRow {
    type Key = LogEntryKey;
    const TABLE: Table<LogEntryKey> = Table::new("log_entries");
}
