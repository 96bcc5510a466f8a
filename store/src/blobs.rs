//! Blobs: made open, filled, finished, read, destroyed. After finishing, nothing of a blob ever changes.

use crate::{
    at_rest::{self, AtRestKey, Place},
    at_rest_keys,
    chunks::{self, SealedChunk},
    claims,
    credits::Payment,
    day::Day,
    digest::{BodyDigest, chunk_hash, sha256, token_hash},
    ended,
    error::{Failure, StoreError},
    lease::{self, Moment},
    object::ObjectName,
    operation::Checked,
    refunds, removal,
    room::Need,
    row::Row,
    schema::{BlobRow, BlobState, ENDED, MANIFESTS},
    store::{Queued, Store, refused},
    tickets::{self, ROWS_OF_TICKET},
    transaction::{Changes, Rows},
};
use bytes::Bytes;
use nightdrop_wire::{
    authorization::Authorization,
    ids::{BlobId, TicketId},
    limits::MAX_CHUNKS,
    messages::blob::{CreateBlob, FinishBlob, WholeBlob},
    price,
    quarter::QuarterHour,
    size_class::SizeClass,
    token::{Token, TokenHash},
};
use rand::CryptoRng;

/// Rows that the end of a blob without tickets changes: blob, key, what remains of it, what it gives back, and what is doomed.
pub(crate) const ROWS_OF_BLOB: usize = 5;
/// Tickets that one commit ends at most.
const TICKETS_OF_STEP: usize = 64;

impl Store {
    /// Makes a blob and spends its payment, in one transaction; a whole blob is stored and finished with it. Gives the last day on which it is there.
    ///
    /// The same body again is answered alike. [`StoreError::Refused`] if the request is malformed or its payment is none for its price,
    /// [`StoreError::Conflict`] if the id is taken or ended: nothing is then spent.
    #[must_use]
    pub fn create_blob(
        &self,
        message: &CreateBlob,
        payment: Payment,
        body: BodyDigest,
        today: Day,
        rng: &mut dyn CryptoRng,
    ) -> Queued<Day> {
        let moment = self.on(today);
        let new = match NewBlob::prepare(message, payment, body, today, rng) {
            Ok(new) => new,
            Err(error) => return refused(error),
        };
        self.queue(new.weight(), move |rows| {
            let held = rows.row::<BlobRow>(new.id.as_bytes());
            if let Ok(Some(held)) = &held
                && held.request == new.row.request
                && moment.has(held)
            {
                return Ok(Checked::Already(moment.last_day(held)));
            }
            new.payment.check_unspent(rows, today)?;
            if held?.is_some() || rows.holds(&ENDED, &ObjectName::blob(new.id).bytes())? {
                return Err(StoreError::Conflict);
            }
            // The row of the first one is among those that are counted for any operation.
            let credits = new.payment.count().saturating_sub(1);
            let until = moment.last_day(&new.row);
            Ok(Checked::Scattered(credits, move |changes: &Changes<'_>| new.write(changes).map(|()| until)))
        })
    }

    /// Closes a blob. Gives the last day on which it is there. The same manifest again is answered alike.
    ///
    /// [`StoreError::Refused`] without its write key or with a manifest of no size class; [`StoreError::Conflict`]
    /// unless exactly the chunks of the digest are held, if the manifest takes more room than was paid for, or if it was finished with another one.
    #[must_use]
    pub fn finish_blob(
        &self,
        id: BlobId,
        write_key: &Token,
        message: &FinishBlob,
        today: Day,
        rng: &mut dyn CryptoRng,
    ) -> Queued<Day> {
        let (write_key, moment) = (token_hash(write_key), self.on(today));
        let manifest = match self.seal_manifest(id, &write_key, message, moment, rng) {
            Ok(manifest) => manifest,
            Err(error) => return refused(error),
        };
        let (chunks_digest, class) = (message.chunks_digest, SizeClass::of_sealed(message.manifest.len()));
        let finished = finish_digest(&chunks_digest, &message.manifest);
        self.queue(manifest.len(), move |rows| {
            let row = writable(rows, id, &write_key, moment)?;
            let until = moment.last_day(&row);
            match row.state {
                BlobState::Finished { with, .. } if with == finished => return Ok(Checked::Already(until)),
                BlobState::Finished { .. } => return Err(StoreError::Conflict),
                BlobState::Open => {}
            }
            // Whoever streams knows their number only at the end; the digest says it.
            let chunks = match chunks::digest_of_all(rows, id)? {
                Some((digest, chunks)) if digest == chunks_digest => chunks,
                Some(_) | None => return Err(StoreError::Conflict),
            };
            let class = class.filter(|manifest| price::of_finished(chunks, *manifest) <= row.paid);
            let class = class.ok_or(StoreError::Conflict)?;
            let price = match row.chunks {
                1 => price::of_whole(chunks::class_of_only(rows, id)?, class),
                _ => price::of_finished(chunks, class),
            };
            let state = BlobState::Finished { with: finished, price };
            // The day is of no use any more.
            let row = BlobRow { state, chunks, created: row.created.week(), ..row };
            Ok(Checked::Write(move |changes: &Changes<'_>| {
                changes.put_bytes(&MANIFESTS, id.as_bytes(), &manifest)?;
                changes.put(id.as_bytes(), &row).map(|()| until)
            }))
        })
    }

    /// The sealed manifest of a finished blob.
    ///
    /// # Errors
    /// [`StoreError::Refused`] unless the blob is finished and its read token or one of its tickets is shown;
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub fn read_manifest(
        &self,
        id: BlobId,
        shown: &Authorization,
        now: QuarterHour,
    ) -> Result<Bytes, StoreError> {
        let snapshot = self.snapshot()?;
        readable(&snapshot, id, shown, self.at(now))?;
        let stored = snapshot.copy(&MANIFESTS, id.as_bytes())?;
        let stored = stored.ok_or(StoreError::Damaged(MANIFESTS.name))?;
        at_rest_keys::open(&snapshot, MANIFESTS.name, ObjectName::blob(id), stored)
    }

    /// Ends a blob: its row, its key and its tickets are gone at once, and nothing of it is read any more; its chunks and
    /// its manifest are removed after that, step by step. More tickets than one commit or the room takes are ended
    /// before, some at a time. Neither its id nor theirs is ever made again. Tells how many
    /// units it gives back; the same again is answered alike until that was asked for.
    ///
    /// [`StoreError::Refused`] without its write key.
    #[must_use]
    pub fn destroy_blob(&self, id: BlobId, write_key: &Token, today: Day) -> Queued<u32> {
        let (store, write_key) = (self.clone(), token_hash(write_key));
        Box::pin(async move {
            let mut most = TICKETS_OF_STEP;
            loop {
                match store.end_blob(id, write_key, most, today).await {
                    Ok(End::Blob(refund)) => return Ok(refund),
                    Ok(End::Tickets) => {}
                    Err(StoreError::Full) if most > 1 => most /= 2,
                    Err(error) => return Err(error),
                }
            }
        })
    }

    /// Ends a blob with its tickets, or so many of them if it has more.
    fn end_blob(&self, id: BlobId, write_key: TokenHash, most: usize, today: Day) -> Queued<End> {
        let moment = self.on(today);
        self.queue_for(Need::Least, 0, move |rows| {
            if ended::by(rows, ObjectName::blob(id), &write_key)? {
                return Ok(Checked::Already(End::Blob(refunds::left(rows, id, today)?)));
            }
            let refund = moment.refund(&owned(rows, id, &write_key)?);
            let mut tickets = tickets::of_blob(rows, id)?;
            let ends = if tickets.len() > most { End::Tickets } else { End::Blob(refund) };
            tickets.truncate(most);
            let changed = ROWS_OF_BLOB + tickets.len() * ROWS_OF_TICKET;
            Ok(Checked::Scattered(changed, move |changes: &Changes<'_>| {
                match ends {
                    End::Blob(_) => end(changes, id, &tickets, (&write_key, refund), today)?,
                    End::Tickets => tickets::remove_all(changes, id, &tickets, &write_key)?,
                }
                Ok(ends)
            }))
        })
    }

    fn seal_manifest(
        &self,
        id: BlobId,
        write_key: &TokenHash,
        message: &FinishBlob,
        moment: Moment,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, StoreError> {
        SizeClass::of_sealed(message.manifest.len()).ok_or(StoreError::Refused)?;
        let snapshot = self.snapshot()?;
        writable(&snapshot, id, write_key, moment)?;
        let key = at_rest_keys::read(&snapshot, ObjectName::blob(id))?;
        at_rest::seal(&key, &manifest_place(id), &message.manifest, rng)
    }
}

/// What a step of an end has ended.
#[derive(Debug, Clone, Copy)]
enum End {
    /// All of it, and it gives back so many units.
    Blob(u32),
    /// Some of the tickets.
    Tickets,
}

/// The blob, to whoever shows its write key, as long as it lasts.
pub(crate) fn writable(
    rows: &impl Rows,
    id: BlobId,
    write_key: &TokenHash,
    moment: Moment,
) -> Result<BlobRow, StoreError> {
    owned(rows, id, write_key)
        .and_then(|row| if moment.has(&row) { Ok(row) } else { Err(StoreError::Refused) })
}

/// The blob, to whoever shows its write key, also when its time has passed: for what ends it.
pub(crate) fn owned(rows: &impl Rows, id: BlobId, write_key: &TokenHash) -> Result<BlobRow, StoreError> {
    rows.guard::<BlobRow>(id.as_bytes())?.filter(|row| row.write_key == *write_key).ok_or(StoreError::Refused)
}

/// The blob, to whoever shows its read token, one of its tickets, or a claim where that needs one, once it is finished and as long as it lasts.
pub(crate) fn readable(
    rows: &impl Rows,
    id: BlobId,
    shown: &Authorization,
    moment: Moment,
) -> Result<BlobRow, StoreError> {
    let row = rows.guard::<BlobRow>(id.as_bytes())?;
    // Whatever was found: what is shown is looked up for a blob that is not there, too.
    let admitted = match shown {
        Authorization::Bearer(token) => {
            let token = token_hash(token);
            row.as_ref().is_some_and(|row| row.read_token == token)
        }
        Authorization::Ticket(ticket, token) => tickets::shown(rows, *ticket, token, moment)?.blob == id,
        Authorization::Claim(ticket, token, claim) => {
            claims::shown(rows, *ticket, token, claim, moment)?.blob == id
        }
    };
    let is_there = |row: &BlobRow| matches!(row.state, BlobState::Finished { .. }) && moment.has(row);
    row.filter(|row| admitted && is_there(row)).ok_or(StoreError::Refused)
}

/// Ends a blob with its tickets; what remains is doomed, and unreadable without the key.
pub(crate) fn end(
    changes: &Changes<'_>,
    id: BlobId,
    tickets: &[TicketId],
    (write_key, refund): (&TokenHash, u32),
    today: Day,
) -> Result<(), Failure> {
    at_rest_keys::erase(changes, ObjectName::blob(id))?;
    changes.remove(&BlobRow::TABLE, id.as_bytes())?;
    tickets::remove_all(changes, id, tickets, write_key)?;
    ended::keep(changes, ObjectName::blob(id), write_key)?;
    refunds::keep(changes, id, refund, today)?;
    removal::doom(changes, id)
}

/// What tells one way of finishing from another.
fn finish_digest(chunks_digest: &[u8; 32], manifest: &[u8]) -> [u8; 32] {
    sha256(&[chunks_digest, manifest])
}

fn manifest_place(id: BlobId) -> Place {
    Place { table: MANIFESTS.name, object: ObjectName::blob(id), index: 0 }
}

/// What a blob costs; [`StoreError::Refused`] if none can be so.
pub(crate) fn price_of(message: &CreateBlob) -> Result<u32, StoreError> {
    let most = if message.whole.is_some() { 1 } else { MAX_CHUNKS };
    if message.chunks == 0 || message.chunks > most {
        return Err(StoreError::Refused);
    }
    let price = match &message.whole {
        Some(whole) => price_of_whole(whole),
        None => price::of_open(message.chunks),
    };
    price.ok_or(StoreError::Refused)
}

/// What a whole blob costs, if its parts are of size classes.
fn price_of_whole(whole: &WholeBlob) -> Option<u32> {
    let [chunk, manifest] = [&whole.chunk, &whole.manifest].map(|part| SizeClass::of_sealed(part.len()));
    Some(price::of_whole(chunk?, manifest?))
}

/// A blob to be made, with what it is made whole of sealed at rest.
struct NewBlob {
    id: BlobId,
    key: AtRestKey,
    payment: Payment,
    row: BlobRow,
    whole: Option<SealedWhole>,
}

struct SealedWhole {
    chunk: SealedChunk,
    manifest: Vec<u8>,
    finished: [u8; 32],
}

impl NewBlob {
    fn prepare(
        message: &CreateBlob,
        payment: Payment,
        body: BodyDigest,
        today: Day,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, StoreError> {
        let price = price_of(message)?;
        payment.check_price(price)?;
        let key = AtRestKey::generate(rng);
        let whole = match &message.whole {
            Some(whole) => Some(SealedWhole::seal(message.blob, &key, whole, rng)?),
            None => None,
        };
        let finished = |whole: &SealedWhole| BlobState::Finished { with: whole.finished, price };
        let state = whole.as_ref().map_or(BlobState::Open, finished);
        let row = BlobRow {
            read_token: message.read_token,
            write_key: message.write_key,
            chunks: message.chunks,
            state,
            created: if whole.is_some() { today.week() } else { today },
            until: lease::paid_on(today),
            request: body.0,
            receipt: payment.receipt(ObjectName::blob(message.blob)),
            paid: payment.units(),
            paid_by: None,
        };
        Ok(Self { id: message.blob, key, payment, row, whole })
    }

    fn weight(&self) -> usize {
        self.whole.as_ref().map_or(0, |whole| whole.chunk.weight() + whole.manifest.len())
    }

    fn write(self, changes: &Changes<'_>) -> Result<(), Failure> {
        self.payment.spend(changes)?;
        at_rest_keys::keep(changes, ObjectName::blob(self.id), &self.key)?;
        if let Some(whole) = self.whole {
            whole.chunk.write(changes)?;
            changes.put_bytes(&MANIFESTS, self.id.as_bytes(), &whole.manifest)?;
        }
        changes.put(self.id.as_bytes(), &self.row)
    }
}

impl SealedWhole {
    fn seal(
        id: BlobId,
        key: &AtRestKey,
        whole: &WholeBlob,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, StoreError> {
        let chunks_digest = sha256(&[&chunk_hash(&whole.chunk)]);
        Ok(Self {
            chunk: SealedChunk::seal(id, 0, key, whole.chunk.as_slice().into(), rng)?,
            manifest: at_rest::seal(key, &manifest_place(id), &whole.manifest, rng)?,
            finished: finish_digest(&chunks_digest, &whole.manifest),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes of `wire::size_class` are counted from these.
    #[test]
    fn a_chunk_and_its_key_fill_a_page_and_no_more() {
        let key = <crate::schema::ChunkKey as redb::Value>::fixed_width();
        assert_eq!(key, Some(20));
        assert_eq!(SizeClass::FULL.stored() + 8 + 20, 1 << 20);
    }
}
