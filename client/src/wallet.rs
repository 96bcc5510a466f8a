//! Credits at hand: drawn in a few assortments, the same for everybody, and by the agent ahead of when they are needed, so that number and time tell
//! the relay little about who spends one. Without an agent they are drawn when there are too few. A large upload that needs more than is at hand
//! draws more at that moment, and how much in steps of 4 GiB.
//!
//! They lie in `HOME/credits`, sealed under the memory key. A credit is off that file before anybody is shown it, so this device shows none
//! for two things, unless the file is restored from a copy. One that was taken and not shown comes back; one that a crash took with it before it
//! stood in a journal is lost. Credits that cannot be opened are lost as well; others can be drawn.

use crate::{
    ClientError, Home,
    account::Session,
    clock,
    payment::{STANDARD, refill, take_covering, take_exactly, to_draw},
    transport::Transport,
};
use nightdrop_envelope::wallet::Wallet;
use nightdrop_wire::{
    denomination::{Assortment, Denomination},
    messages::credit::Credit,
};
use rand::RngExt;

/// With fewer of a denomination at hand, more are drawn as soon as nothing waits for them.
const LOW: Assortment = Assortment([32, 16, 8, 0]);
/// With as many at hand, none are drawn ahead.
const ENOUGH: Assortment = Assortment([128, 64, 32, 0]);
/// Draws for each price at most: a relay that gives little each time is not asked for ever.
const MOST_DRAWS: usize = 8;

/// Takes payments of these prices out of the home directory, all or none; only if there is too little, draws more first.
///
/// # Errors
/// As [`Session::fetch_credits`]: then none is taken. [`ClientError::File`].
pub(crate) async fn take<T: Transport>(
    home: &Home,
    session: &mut Session<T>,
    prices: &[u32],
) -> Result<Vec<Vec<Credit>>, ClientError> {
    let mut taken = Vec::with_capacity(prices.len());
    let outcome = take_all(home, session, prices, &mut taken).await;
    if let Err(error) = outcome {
        put(home, session, taken.into_iter().flatten().collect())?;
        return Err(error);
    }
    Ok(taken)
}

async fn take_all<T: Transport>(
    home: &Home,
    session: &mut Session<T>,
    prices: &[u32],
    taken: &mut Vec<Vec<Credit>>,
) -> Result<(), ClientError> {
    let mut draws = 0;
    while let Some(order) = take_at_hand(home, session, prices, taken, take_exactly)? {
        draws += 1;
        match draw(home, session, order).await {
            Ok(()) if draws <= prices.len().saturating_mul(MOST_DRAWS) => {}
            // What is left is paid with what there is.
            Ok(()) | Err(ClientError::NoCredits) => {
                let lacking = take_at_hand(home, session, prices, taken, take_covering)?;
                return if lacking.is_none() { Ok(()) } else { Err(ClientError::NoCredits) };
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Puts credits back that nobody was shown.
///
/// # Errors
/// [`ClientError::File`].
pub(crate) fn put<T: Transport>(
    home: &Home,
    session: &Session<T>,
    credits: Vec<Credit>,
) -> Result<(), ClientError> {
    if credits.is_empty() {
        return Ok(());
    }
    let lock = home.lock_for(session.account())?;
    if let Err(ClientError::OlderKeyring { .. }) = session.open_memory(home.memory()?.as_deref()) {
        // A rekey has dropped all that was at hand: whoever had the old keys may know these.
        return Ok(());
    }
    let mut wallet = at_hand(home, session)?;
    wallet.credits.extend(credits);
    keep_the_most(&mut wallet.credits, Wallet::MOST);
    home.keep_credits(&session.seal_wallet(&wallet)?, &lock)
}

/// Drops the smallest, and of these the oldest, until there is room: never what is worth the most.
fn keep_the_most(credits: &mut Vec<Credit>, most: usize) {
    while credits.len() > most {
        let smallest = credits.iter().enumerate().min_by_key(|(_, credit)| credit.denomination());
        let Some((place, _)) = smallest else { return };
        credits.remove(place);
    }
}

/// What should be drawn now, when nothing waits for it: always if few are left of a denomination, and sometimes, by chance, if some were spent. So the
/// time of a draw says little about when those before were spent.
pub(crate) fn wanted<T: Transport>(home: &Home, session: &Session<T>) -> Option<Assortment> {
    let credits = at_hand(home, session).ok()?.credits;
    if credits.is_empty() {
        return Some(STANDARD);
    }
    let held = |one| credits.iter().filter(|credit| credit.denomination() == one).count();
    let wants = |one: Denomination| {
        let [low, enough] = [LOW, ENOUGH].map(|all| usize::from(all.of(one)));
        held(one) < low || (held(one) < enough && rand::rng().random_ratio(1, 8))
    };
    Denomination::ALL.into_iter().find(|one| wants(*one)).map(refill)
}

/// Draws more.
///
/// # Errors
/// As [`take`].
pub(crate) async fn draw<T: Transport>(
    home: &Home,
    session: &mut Session<T>,
    order: Assortment,
) -> Result<(), ClientError> {
    let drawn = session.fetch_credits(order).await?;
    put(home, session, drawn)
}

/// How credits are chosen for a price.
type Choose = fn(&mut Vec<Credit>, u32) -> Option<Vec<Credit>>;

/// Takes payments for the prices that follow those that are taken already, as far as there are credits; gives what is to be drawn for the next.
fn take_at_hand<T: Transport>(
    home: &Home,
    session: &Session<T>,
    prices: &[u32],
    taken: &mut Vec<Vec<Credit>>,
    choose: Choose,
) -> Result<Option<Assortment>, ClientError> {
    let lock = home.lock_for(session.account())?;
    let (mut wallet, before) = (at_hand(home, session)?, taken.len());
    let mut lacking = None;
    for price in prices.get(before..).unwrap_or_default() {
        match choose(&mut wallet.credits, *price) {
            Some(payment) => taken.push(payment),
            None => {
                lacking = Some(to_draw(&wallet.credits, *price));
                break;
            }
        }
    }
    if taken.len() > before {
        let kept = session.seal_wallet(&wallet).and_then(|sealed| home.keep_credits(&sealed, &lock));
        if let Err(error) = kept {
            // They are in the file still.
            taken.truncate(before);
            return Err(error);
        }
    }
    Ok(lacking)
}

/// Those that pay tomorrow, too: the relay's clock may be ahead.
fn at_hand<T: Transport>(home: &Home, session: &Session<T>) -> Result<Wallet, ClientError> {
    let mut wallet = session.open_wallet(home.credits()?.as_deref());
    wallet.credits.retain(|credit| credit.expires() > clock::today());
    Ok(wallet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worth_most_stays_when_there_is_no_room_for_all() {
        let credit = |denomination, day| Credit::new(denomination, day, [1; 32], [2; 32]);
        let mut credits: Vec<Credit> = (0..5).map(|day| credit(Denomination::Smallest, day)).collect();
        credits.extend([credit(Denomination::Small, 9), credit(Denomination::Largest, 9)]);
        credits.extend((5..8).map(|day| credit(Denomination::Smallest, day)));
        keep_the_most(&mut credits, 4);
        let kept: Vec<_> = credits.iter().map(|credit| (credit.denomination(), credit.expires())).collect();
        let expected = [
            (Denomination::Small, 9),
            (Denomination::Largest, 9),
            (Denomination::Smallest, 6),
            (Denomination::Smallest, 7),
        ];
        assert_eq!(kept, expected);
    }
}
