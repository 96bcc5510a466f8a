//! `nightdrop share NAME --link [--expires TIME] [--downloads N] [--password]`

use crate::{
    ClientError,
    cli::{
        arguments::{Global, LinkEnds, LinkPassword, Share},
        opened::{Opened, path, with_account},
        password::{StandardInput, generated},
        print::Printer,
    },
    lease, password_policy,
    transfer::{self, TicketTerms},
};
use nightdrop_envelope::space::{FileRecord, Operation, SpacePath, TicketRecord};
use nightdrop_login::password::Password;
use nightdrop_wire::{messages::ticket::TicketLimits, onion::OnionAddress, quarter::QuarterHour};
use serde::{Serialize, Serializer};
use std::{num::NonZeroU16, time::SystemTime};
use zeroize::Zeroizing;

/// A link, and what is to be known of it.
#[derive(Serialize)]
pub(super) struct ShownLink {
    #[serde(serialize_with = "as_text")]
    pub(super) link: Zeroizing<String>,
    /// Seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    downloads: Option<u16>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    needs_password: bool,
    #[serde(skip)]
    limits: TicketLimits,
}

fn as_text<S: Serializer>(text: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

#[derive(Serialize)]
pub(super) struct Shown<'a> {
    pub(super) name: &'a str,
    #[serde(flatten)]
    pub(super) link: &'a ShownLink,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<&'a str>,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Share,
    printer: &Printer,
) -> Result<(), ClientError> {
    arguments.qr.check(printer)?;
    let name = path(&arguments.name)?;
    let mut standard_input = printer.standard_input();
    let limits = limits(&arguments.ends)?;
    let (password, words) = link_password(&arguments.password, &mut standard_input)?;
    let terms = TicketTerms { limits, password };
    let work = async |opened: &mut Opened<'_>| {
        let file = opened.file(&name)?.clone();
        share(opened, &name, &file, terms).await
    };
    let link = with_account(global, standard_input, printer, work).await?;
    let words = words.as_ref().map(|words| words.as_str());
    let shown = Shown { name: name.as_str(), link: &link, password: words };
    // The link alone is the last line. All the room at once: a growing string would leave copies behind.
    let mut lines = Zeroizing::new(String::with_capacity(link.link.len() + 256));
    for part in words.into_iter().flat_map(|words| [words, "\n"]).chain([link.link.as_str()]) {
        lines.push_str(part);
    }
    printer.result(&shown, &lines)?;
    link.tell_limits(printer);
    arguments.qr.show(&link.link, printer)
}

/// What the options say.
pub(super) fn limits(ends: &LinkEnds) -> Result<TicketLimits, ClientError> {
    let LinkEnds { expires, downloads } = ends;
    let too_late = || ClientError::Usage("a link cannot end so late: leave --expires out".to_owned());
    let after = |lasts| QuarterHour::after(SystemTime::now(), lasts).ok_or_else(too_late);
    let ends = expires.map(after).transpose()?;
    Ok(TicketLimits { ends, downloads: downloads.and_then(NonZeroU16::new) })
}

/// A password that is not easy to guess, and its words if they were made here.
fn link_password(
    wanted: &LinkPassword,
    standard_input: &mut StandardInput,
) -> Result<(Option<Password>, Option<Zeroizing<String>>), ClientError> {
    let LinkPassword { with_password, link_password_file, generate } = wanted;
    if *generate {
        let (password, words) = generated();
        return Ok((Some(password), Some(words)));
    }
    if !with_password && link_password_file.is_none() {
        return Ok((None, None));
    }
    let password = standard_input.new_link_password(link_password_file.as_deref())?;
    password_policy::check(&password)?;
    Ok((Some(password), None))
}

impl ShownLink {
    pub(super) fn of(ticket: &TicketRecord, relay: &OnionAddress) -> Self {
        let (link, limits) = (ticket.link(relay), *ticket.limits());
        Self {
            link: link.secret_text(),
            ends: limits.ends.map(QuarterHour::begins),
            downloads: limits.downloads.map(NonZeroU16::get),
            needs_password: link.needs_password,
            limits,
        }
    }

    /// Its limits in words; nothing if it has none.
    pub(super) fn limits_in_words(&self) -> String {
        let now = QuarterHour::of(SystemTime::now());
        let ends = self
            .limits
            .ends
            .map(|ends| if ends <= now { format!("ended {ends}") } else { format!("ends {ends}") });
        let downloads = self.downloads.map(|count| format!("{count} download(s) in all"));
        let password = self.needs_password.then(|| "needs its password".to_owned());
        [ends, downloads, password].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// Tells the owner what was asked of the relay, and that nobody else keeps to it.
    pub(super) fn tell_limits(&self, printer: &Printer) {
        let limits = self.limits_in_words();
        if limits.is_empty() {
            return;
        }
        printer.note(&format!("This link: {limits}."));
        if self.limits != TicketLimits::default() {
            printer.note("The relay keeps to the limit if it is honest; nothing else does.");
        }
    }
}

/// Makes a ticket of a listed file and lists it.
pub(super) async fn share(
    opened: &mut Opened<'_>,
    name: &SpacePath,
    file: &FileRecord,
    terms: TicketTerms,
) -> Result<ShownLink, ClientError> {
    opened.make_room(1, 0).await?;
    let relay = opened.relay().clone();
    let made = transfer::make_ticket(&mut opened.lane(), &relay, file, terms).await;
    let ticket = made.map_err(|error| lease::explain(error, name.as_str(), file.lease))?;
    let link = ShownLink::of(&ticket, &relay);
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
