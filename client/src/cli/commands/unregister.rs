//! `nightdrop unregister`

use super::{lock::lock_agent, transfers::drop_all};
use crate::{
    ClientError, account,
    cli::{
        arguments::{Global, Unregister},
        opened::{Opened, with_password},
        password::confirm,
        print::Printer,
    },
    limits::ClientLimits,
    transfer,
};
use nightdrop_envelope::space::{Operation, State};
use serde::Serialize;

#[derive(Serialize)]
struct Shown {
    removed_files: usize,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Unregister,
    printer: &Printer,
) -> Result<(), ClientError> {
    let home = global.open_home()?;
    let code = home.account()?;
    let password = printer.standard_input().existing_password(global)?;
    if !arguments.yes {
        confirm(
            "All files of this account are destroyed at the relay, for good, and all links to them end. Type `yes`: ",
        )?;
    }
    let destroy_all = async |opened: &mut Opened<'_>| {
        // What it is at ends, so that it can be dropped.
        lock_agent(&home).await?;
        destroy_all(opened).await
    };
    let removed_files = with_password(global, &password, printer, destroy_all).await?;
    let tor = global.connect(&home, printer).await?;
    account::remove(&tor, &code, &password, &ClientLimits::default()).await?;
    home.forget_account(&home.lock()?)?;
    printer.result(
        &Shown { removed_files },
        &format!("The account is removed, and {removed_files} file(s) with it. The sealed list of files stays at the relay; nothing opens it."),
    )
}

/// First off the list, then destroyed: cut off in between, the next run goes on. Other devices can pay for nothing new, and what they
/// list meanwhile is destroyed, too.
async fn destroy_all(opened: &mut Opened<'_>) -> Result<usize, ClientError> {
    opened.ends = true;
    opened.end_all_sessions().await?;
    let unfinished = transfer::unfinished(&opened.journals()?)?;
    drop_all(opened, &unfinished.iter().collect::<Vec<_>>()).await?;
    if opened.space.state().closed_for().is_some() {
        return opened.destroy_closed().await;
    }
    let mut removed = 0;
    loop {
        let all = |state: &State| state.files().map(|(path, _)| path.clone()).collect::<Vec<_>>();
        let files = all(opened.space.state());
        removed += files.len();
        if !files.is_empty() {
            let remove =
                |state: &State| Ok(all(state).into_iter().map(|path| Operation::Remove { path }).collect());
            opened.append(remove).await?;
        }
        opened.destroy_leaving().await?;
        opened.space.refresh().await?;
        if opened.space.state().files().next().is_none() {
            opened.destroy_checkpoint().await?;
            return Ok(removed);
        }
    }
}
