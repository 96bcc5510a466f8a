//! `nightdrop share NAME --link`

use crate::{
    ClientError,
    cli::{
        arguments::{Global, Share},
        opened::{Opened, path, with_account},
        print::Printer,
    },
    transfer,
};
use nightdrop_envelope::space::{FileRecord, Operation, SpacePath};
use serde::Serialize;
use zeroize::Zeroizing;

#[derive(Serialize)]
pub(super) struct Shown<'a> {
    pub(super) name: &'a str,
    pub(super) link: &'a str,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Share,
    printer: &Printer,
) -> Result<(), ClientError> {
    arguments.qr.check(printer)?;
    let name = path(&arguments.name)?;
    let work = async |opened: &mut Opened<'_>| {
        let file = opened.file(&name)?.clone();
        share(opened, &name, &file).await
    };
    let link = with_account(global, printer.standard_input(), printer, work).await?;
    printer.result(&Shown { name: name.as_str(), link: &link }, &link)?;
    arguments.qr.show(&link, printer)
}

/// Makes a ticket of a listed file and lists it.
pub(super) async fn share(
    opened: &mut Opened<'_>,
    name: &SpacePath,
    file: &FileRecord,
) -> Result<Zeroizing<String>, ClientError> {
    let relay = opened.relay().clone();
    let ticket = transfer::make_ticket(&mut opened.lane(), &relay, file).await?;
    let link = ticket.link(&relay).secret_text();
    let listed = opened.append(|state| match state.file(name) {
        Some(listed) if listed.blob == file.blob => {
            Ok(vec![Operation::Share { path: name.clone(), ticket: ticket.clone() }])
        }
        _ => Err(ClientError::ChangedMeanwhile(name.as_str().to_owned())),
    });
    let listed = listed.await;
    if matches!(listed, Err(ClientError::ChangedMeanwhile(_))) {
        // Not listed, it could not be ended later. Best effort: the file itself may be gone already.
        let _ = transfer::end_ticket(&mut opened.lane().once(), ticket.id(), &file.write_key).await;
    }
    listed.map(|()| link)
}
