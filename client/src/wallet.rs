//! Credits at hand: drawn by as many as everybody draws, and by the agent ahead of when they are needed, so that number and time tell the relay
//! little about who spends one. Without an agent they are drawn when there are too few.
//!
//! They lie in `HOME/credits`, sealed under the memory key. A credit is off that file before anybody is shown it, so this device shows none
//! twice, unless the file is restored from a copy; and one that a crash took with it is lost. Credits that cannot be opened are lost as well;
//! others can be drawn.

use crate::{ClientError, Home, account::Session, clock, transport::Transport};
use nightdrop_envelope::wallet::Wallet;
use nightdrop_wire::{limits::MAX_CREDITS_PER_REQUEST, messages::credit::Credit};
use rand::RngExt;

/// With fewer at hand, more are drawn as soon as nothing waits for them.
const LOW: usize = 32;
/// With as many at hand, none are drawn ahead.
const ENOUGH: usize = 128;

/// Takes credits out of the home directory; only if there are too few, draws more first.
///
/// # Errors
/// As [`Session::fetch_credits`]: then none is taken. [`ClientError::File`].
pub(crate) async fn take<T: Transport>(
    home: &Home,
    session: &mut Session<T>,
    count: usize,
) -> Result<Vec<Credit>, ClientError> {
    let mut taken = take_at_hand(home, session, count)?;
    while taken.len() < count {
        if let Err(error) = draw(home, session).await {
            put(home, session, taken)?;
            return Err(error);
        }
        taken.extend(take_at_hand(home, session, count - taken.len())?);
    }
    Ok(taken)
}

/// Whether more should be drawn now, when nothing waits for them: always if few are left, and sometimes, by chance, if some were spent. So the
/// time of a draw says little about when those before were spent.
pub(crate) fn wants_more<T: Transport>(home: &Home, session: &Session<T>) -> bool {
    match at_hand(home, session).map(|wallet| wallet.credits.len()) {
        Ok(..LOW) => true,
        Ok(LOW..ENOUGH) => rand::rng().random_ratio(1, 8),
        Ok(_) | Err(_) => false,
    }
}

/// Draws more.
///
/// # Errors
/// As [`take`].
pub(crate) async fn draw<T: Transport>(home: &Home, session: &mut Session<T>) -> Result<(), ClientError> {
    let drawn = session.fetch_credits(MAX_CREDITS_PER_REQUEST).await?;
    put(home, session, drawn)
}

fn put<T: Transport>(home: &Home, session: &Session<T>, credits: Vec<Credit>) -> Result<(), ClientError> {
    let lock = home.lock()?;
    let mut wallet = at_hand(home, session)?;
    wallet.credits.extend(credits);
    wallet.credits.truncate(Wallet::MOST);
    home.keep_credits(&session.seal_wallet(&wallet)?, &lock)
}

fn take_at_hand<T: Transport>(
    home: &Home,
    session: &Session<T>,
    count: usize,
) -> Result<Vec<Credit>, ClientError> {
    let lock = home.lock()?;
    let mut wallet = at_hand(home, session)?;
    let taken: Vec<Credit> = wallet.credits.drain(..count.min(wallet.credits.len())).collect();
    if !taken.is_empty() {
        home.keep_credits(&session.seal_wallet(&wallet)?, &lock)?;
    }
    Ok(taken)
}

/// Those that pay tomorrow, too: the relay's clock may be ahead.
fn at_hand<T: Transport>(home: &Home, session: &Session<T>) -> Result<Wallet, ClientError> {
    let mut wallet = session.open_wallet(home.credits()?.as_deref());
    wallet.credits.retain(|credit| credit.expires() > clock::today());
    Ok(wallet)
}
