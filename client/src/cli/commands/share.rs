//! `nightdrop share NAME --link`

use crate::{
    ClientError,
    cli::{
        arguments::{Global, Share},
        opened::{Opened, path},
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
    let name = path(&arguments.name)?;
    let mut opened = Opened::open(global, printer).await?;
    let file = opened.space.state().file(&name).cloned();
    let file = file.ok_or_else(|| ClientError::NoSuchFile(name.as_str().to_owned()))?;
    let link = share(&mut opened, &name, &file).await?;
    printer.result(&Shown { name: name.as_str(), link: &link }, &link);
    opened.close().await;
    Ok(())
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
    opened.append(|_| Ok(vec![Operation::Share { path: name.clone(), ticket: ticket.clone() }])).await?;
    Ok(link)
}
