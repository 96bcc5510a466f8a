//! Uploads, from what is to be stored to its place in the list: those that begin, and those that an earlier command left.

use super::{
    failures::Failures,
    opened::Opened,
    print::{Part, Printer},
    side_by_side::{Way, side_by_side},
};
use crate::{
    ClientError,
    blocking::blocking,
    relay::RelayLane,
    transfer::{self, Begun, Content, Prepared, Progress, Stored, Unfinished, Upload},
    transport::AnyTransport,
};
use nightdrop_envelope::space::{FileRecord, Operation, SpacePath, State};
use nightdrop_wire::ids::BlobId;
use std::sync::Arc;

/// Files that are paid for, and listed, together: one draw of the smallest credits pays for as many small ones and the room of their home space.
pub(super) const BATCH: usize = 54;

/// A file or stream that is to be stored.
pub(super) struct ToStore {
    pub(super) name: SpacePath,
    pub(super) content: Content,
    /// What has the name and may be replaced.
    pub(super) replaces: Option<BlobId>,
}

/// Stores at most [`BATCH`] files and lists them. Gives those that are listed, and what failed.
pub(super) async fn upload(
    opened: &mut Opened<'_>,
    files: Vec<ToStore>,
    printer: &Printer,
) -> (Vec<(SpacePath, FileRecord)>, Failures) {
    let mut failures = Failures::default();
    let found = async {
        let journals = opened.journals()?;
        let find = move || {
            let begin = |ToStore { name, content, replaces }| {
                (SpacePath::clone(&name), transfer::find(&journals, content, name, replaces))
            };
            files.into_iter().map(begin).collect::<Vec<_>>()
        };
        blocking(find).await
    };
    let mut begun = Vec::new();
    match found.await {
        Ok(found) => {
            for (name, found) in found {
                match found {
                    Ok(found) => begun.push((name, found)),
                    Err(error) => failures.note(name.as_str(), error),
                }
            }
        }
        Err(error) => failures.end(error),
    }
    if failures.has_ended() {
        return (Vec::new(), failures);
    }
    let (listed, more) = go_on(opened, begun, printer).await;
    failures.add(more);
    (listed, failures)
}

/// The same for uploads of which some were cut off.
pub(super) async fn go_on(
    opened: &mut Opened<'_>,
    begun: Vec<(SpacePath, Begun)>,
    printer: &Printer,
) -> (Vec<(SpacePath, FileRecord)>, Failures) {
    let (mut done, mut failures) = (Vec::new(), Failures::default());
    let mut prepared = prepare(opened, begun, &mut done, &mut failures, printer).await;
    if failures.has_ended() {
        // The line is gone: what is there already is listed if that can be done, and nothing is paid for.
        prepared.retain(|(_, prepared)| matches!(prepared, Prepared::Stored(_)));
    }
    let stored = send(opened, prepared, &mut failures, printer).await;
    done.extend(list(opened, stored, &mut failures, printer).await);
    (done, failures)
}

/// Finds out what is left of each; of some, nothing. One that cannot be gone on with keeps none of the others.
async fn prepare(
    opened: &mut Opened<'_>,
    begun: Vec<(SpacePath, Begun)>,
    done: &mut Vec<(SpacePath, FileRecord)>,
    failures: &mut Failures,
    printer: &Printer,
) -> Vec<(SpacePath, Prepared)> {
    let may_be_listed = |begun: &Begun| matches!(begun, Begun::Earlier(earlier) if earlier.may_be_listed());
    if begun.iter().any(|(_, begun)| may_be_listed(begun)) {
        // Whoever listed it before it was killed did so before its journal was free.
        if let Err(error) = opened.refresh().await {
            failures.end(error);
            return Vec::new();
        }
    }
    let (mut prepared, mut earlier) = (Vec::with_capacity(begun.len()), Vec::new());
    let state = opened.space.state();
    for (name, begun) in begun {
        let begun = match begun {
            Begun::Earlier(cut_off) => match listed(state, cut_off.blob()) {
                None => Begun::Earlier(cut_off),
                Some(file) => match cut_off.is_listed() {
                    Ok(None) => {
                        done.push((name, file.clone()));
                        continue;
                    }
                    Ok(Some(changed)) => Begun::New(changed),
                    Err(error) => {
                        failures.note(name.as_str(), error);
                        continue;
                    }
                },
            },
            new @ Begun::New(_) => new,
        };
        // Before anything is sent.
        match (require_free(state, &name, begun.replaces()), begun) {
            (Err(error), _) => failures.note(name.as_str(), error),
            (Ok(()), Begun::New(new)) => prepared.push((name, Prepared::Unpaid(new))),
            (Ok(()), Begun::Earlier(cut_off)) => earlier.push((name, cut_off)),
        }
    }
    if earlier.is_empty() {
        return prepared;
    }
    let bar = printer.bar("Looking at what is stored already");
    bar.wait();
    let agents_run = opened.agents_run();
    let ask = move |mut lane: RelayLane<AnyTransport>, _way: Way, earlier: transfer::Earlier| {
        let (run, blob) = (agents_run.clone(), earlier.blob());
        async move {
            let prepared = earlier.go_on(&mut lane).await?;
            if let (Some(run), Prepared::Unpaid(_)) = (run, &prepared) {
                // A relay that says it has nothing is not to be paid again and again while nobody looks.
                run.leaves(blob);
                return Err(ClientError::NotResumable);
            }
            Ok((prepared, lane))
        }
    };
    let (answers, failed) = side_by_side(opened, earlier, &bar, ask).await;
    bar.done();
    prepared.extend(answers);
    failures.add(failed);
    prepared
}

/// Pays for what has to be paid for and sends it. One file takes all lanes, several take one each.
async fn send(
    opened: &mut Opened<'_>,
    prepared: Vec<(SpacePath, Prepared)>,
    failures: &mut Failures,
    printer: &Printer,
) -> Vec<(SpacePath, Stored)> {
    if prepared.is_empty() {
        return Vec::new();
    }
    let (mut stored, mut uploads, mut unpaid) = (Vec::new(), Vec::new(), Vec::new());
    for (name, prepared) in prepared {
        match prepared {
            Prepared::Stored(file) => stored.push((name, file)),
            Prepared::Upload(upload) => uploads.push((name, upload)),
            Prepared::Unpaid(new) => unpaid.push((name, new)),
        }
    }
    let to_list = stored.len() + uploads.len() + unpaid.len();
    if let Err(error) = opened.make_room(to_list, to_list).await {
        failures.end(error);
        return Vec::new();
    }
    if !unpaid.is_empty() || opened.space.is_new() {
        let prices: Result<Vec<u32>, ClientError> = unpaid.iter().map(|(_, new)| new.price()).collect();
        let payments = match prices {
            Ok(prices) => opened.pay(&prices).await,
            Err(error) => Err(error),
        };
        match payments {
            Ok(payments) => {
                let paid = unpaid.into_iter().zip(payments);
                uploads.extend(paid.map(|((name, new), payment)| (name, new.pay(payment))));
            }
            // What is paid for already is finished all the same.
            Err(error) => failures.end(error),
        }
    }
    stored.extend(send_all(opened, uploads, failures, printer).await);
    stored
}

async fn send_all(
    opened: &Opened<'_>,
    mut uploads: Vec<(SpacePath, Upload)>,
    failures: &mut Failures,
    printer: &Printer,
) -> Vec<(SpacePath, Stored)> {
    if uploads.is_empty() {
        return Vec::new();
    }
    let bar = printer.bar("Uploading");
    let mut sent = Vec::new();
    if uploads.len() > 1 {
        bar.begin(uploads.iter().map(|(_, upload)| upload.sealed_bytes()).sum());
        let (stored, failed) = side_by_side(opened, uploads, &bar, send_one).await;
        sent.extend(stored);
        failures.add(failed);
    } else if let Some((name, upload)) = uploads.pop() {
        let (mut lane, way) = (opened.lane(), (opened.transport(), opened.relay(), opened.limits()));
        let is_stream = upload.is_stream();
        let carry_out =
            async |funds| upload.with_funds(funds).carry_out(&mut lane, way, Arc::new(bar.clone())).await;
        match transfer::with_funds(carry_out, |price| opened.pay_one(price)).await {
            Ok(stored) => sent.push((name, stored)),
            Err(error) => {
                if is_stream {
                    tell_what_is_left(opened, &name, printer);
                }
                failures.note(name.as_str(), error);
            }
        }
    }
    bar.done();
    sent
}

/// Of a stream only the last answer may be missing; nobody can type its command again.
fn tell_what_is_left(opened: &Opened<'_>, name: &SpacePath, printer: &Printer) {
    let left = opened.journals().and_then(|journals| transfer::unfinished(&journals)).unwrap_or_default();
    let is_it =
        |one: &Unfinished| one.name() == Some(name.as_str()) && one.path().is_none() && one.can_go_on();
    if left.iter().any(is_it) {
        printer.warn(&format!(
            "all of {} was sent, and the relay may have stored it: `nightdrop transfers --resume-all` finds out and lists it",
            name.as_str()
        ));
    }
}

async fn send_one(
    mut lane: RelayLane<AnyTransport>,
    way: Way,
    upload: Upload,
) -> Result<(Stored, RelayLane<AnyTransport>), ClientError> {
    let progress = Arc::<Part>::clone(&way.progress);
    let stored = upload.carry_out(&mut lane, way.parts(), progress).await?;
    Ok((stored, lane))
}

/// Lists what was stored, each once. Gives those that are listed. What has a name that is taken keeps none of the others.
async fn list(
    opened: &mut Opened<'_>,
    mut stored: Vec<(SpacePath, Stored)>,
    failures: &mut Failures,
    printer: &Printer,
) -> Vec<(SpacePath, FileRecord)> {
    if stored.is_empty() {
        return Vec::new();
    }
    stored.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut refused = Vec::new();
    let appended = opened
        .append(|state| {
            let (mut names, mut operations) = (Vec::new(), Vec::new());
            refused.clear();
            for (path, stored) in &stored {
                let file = stored.file();
                // An earlier command may have listed it before it was cut off.
                if is_listed(state, file.blob) {
                    continue;
                }
                // Another device may have taken a name while this one was uploading.
                match require_free(state, path, stored.replaces()).and_then(|()| require_apart(&names, path))
                {
                    Ok(()) => {
                        names.push(path);
                        operations
                            .push(Operation::PutFile { path: path.clone(), file: Box::new(file.clone()) });
                    }
                    Err(error) => refused.push((file.blob, error)),
                }
            }
            Ok(operations)
        })
        .await;
    if let Err(error) = appended {
        // They may be listed, after a lost answer: the next command finds out.
        failures.end(error);
        return Vec::new();
    }
    let mut done = Vec::new();
    for (path, stored) in stored {
        let blob = stored.file().blob;
        if let Some(position) = refused.iter().position(|(refused, _)| *refused == blob) {
            failures.note(path.as_str(), refused.swap_remove(position).1);
            leave_unlisted(opened, &path, stored, printer).await;
            continue;
        }
        match stored.done() {
            Ok(file) => done.push((path, file)),
            Err(error) => failures.note(path.as_str(), error),
        }
    }
    done
}

/// Destroys what cannot be listed and can be read again; what cannot is never destroyed. Best effort, as the line may be gone: then the journal is left.
async fn leave_unlisted(opened: &Opened<'_>, path: &SpacePath, stored: Stored, printer: &Printer) {
    if !stored.can_be_sent_again() {
        printer.warn(&format!(
            "{} is stored and not listed, because its name is taken, and what has it is not overwritten: give that name up (`nightdrop mv`) and run `nightdrop transfers --resume-all`, or drop it with `nightdrop transfers drop`",
            path.as_str()
        ));
        return;
    }
    let mut lane = opened.lane().once();
    let FileRecord { blob, write_key, .. } = stored.file();
    match transfer::destroy(&mut lane, *blob, write_key).await {
        Ok(refund) => opened.note_refund(refund),
        Err(ClientError::Withheld) => {}
        Err(_) => return,
    }
    let _ = stored.done();
}

/// The file of a blob, under whatever name.
fn listed(state: &State, blob: BlobId) -> Option<&FileRecord> {
    state.file_of(blob).map(|(_, file)| file)
}

/// Whether a blob is that of a file.
pub(super) fn is_listed(state: &State, blob: BlobId) -> bool {
    listed(state, blob).is_some()
}

/// What an upload to this name that begins now would replace: the decision of whoever types the command, who sees this state.
pub(super) fn to_replace(
    state: &State,
    name: &SpacePath,
    replace: bool,
) -> Result<Option<BlobId>, ClientError> {
    let there = state.file(name).map(|file| file.blob);
    if there.is_some() && !replace {
        return Err(ClientError::NameTaken(name.as_str().to_owned()));
    }
    require_free(state, name, there).map(|()| there)
}

/// Whether an upload that may replace this blob, and nothing else, can have the name.
pub(super) fn require_free(
    state: &State,
    name: &SpacePath,
    replaces: Option<BlobId>,
) -> Result<(), ClientError> {
    let taken = if state.is_directory(name) { Some(name.clone()) } else { state.file_above(name) };
    if let Some(taken) = taken {
        return Err(ClientError::NameTaken(taken.as_str().to_owned()));
    }
    match state.file(name) {
        Some(file) if Some(file.blob) != replaces => {
            Err(ClientError::OtherFileMeanwhile(name.as_str().to_owned()))
        }
        _ => Ok(()),
    }
}

/// Whether two files cannot have these names at the same time.
pub(super) fn is_same_place(one: &SpacePath, other: &SpacePath) -> bool {
    one == other || one.is_below(other) || other.is_below(one)
}

fn require_apart(names: &[&SpacePath], name: &SpacePath) -> Result<(), ClientError> {
    let taken = names.iter().find(|taken| is_same_place(taken, name));
    taken.map_or(Ok(()), |taken| Err(ClientError::NameTaken(taken.as_str().to_owned())))
}
