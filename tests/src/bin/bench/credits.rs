//! What credits cost: a thousand of them, in batches as they are drawn.

use crate::error::BenchError;
use nightdrop_credit::{CreditError, Issuer, Order};
use nightdrop_wire::{denomination::Assortment, messages::credit::Credit};
use rand08::rngs::OsRng;
use std::time::{Duration, Instant};

const COUNT: usize = 1_000;
/// One draw; what the credits are worth makes no difference to the work.
const DRAWN: Assortment = Assortment([0, 0, 0, 64]);
const EXPIRES: u32 = 20_019;

/// Time for all of them, on one thread.
#[derive(Default)]
struct Took {
    client: Duration,
    issuing: Duration,
    spending: Duration,
}

/// Draws and spends a thousand, and prints what that took.
pub(crate) fn measure() -> Result<(), BenchError> {
    let took = draw_and_spend().map_err(|_| BenchError::Unexpected("the credits"))?;
    let [client, issuing, spending] = [took.client, took.issuing, took.spending].map(|time| time.as_millis());
    println!(
        "\n{COUNT} credits: the client orders and checks them in {client} ms, the relay issues them in {issuing} ms and knows them again in {spending} ms"
    );
    Ok(())
}

/// Credits of an issuer, each worth 256 MiB, as many as there are batches for.
pub(crate) fn issue(issuer: &Issuer, count: usize, expires: u32) -> Result<Vec<Credit>, CreditError> {
    let mut took = Took::default();
    let mut credits = Vec::new();
    while credits.len() < count {
        credits.extend(draw(issuer, expires, &mut took)?);
    }
    Ok(credits)
}

fn draw(issuer: &Issuer, expires: u32, took: &mut Took) -> Result<Vec<Credit>, CreditError> {
    let (order, ordering) = timed(|| Order::new(DRAWN, expires, &mut OsRng));
    let order = order?;
    let (issued, issuing) = timed(|| issuer.issue(order.request(), DRAWN, &mut OsRng));
    let issued = issued?;
    let (credits, taking) = timed(|| order.take(&issued, &issuer.public_key()));
    took.client += ordering + taking;
    took.issuing += issuing;
    credits
}

fn draw_and_spend() -> Result<Took, CreditError> {
    let (issuer, mut took, mut credits) = (Issuer::from_seed(&[1; 32])?, Took::default(), Vec::new());
    while credits.len() < COUNT {
        credits.extend(draw(&issuer, EXPIRES, &mut took)?);
    }
    let drawn = u32::try_from(credits.len()).unwrap_or(u32::MAX);
    let known = timed(|| credits.iter().take(COUNT).all(|credit| issuer.knows(credit)));
    took.spending = known.1;
    // The last batch goes beyond the thousand.
    let share = |time: Duration| time.mul_f64(COUNT as f64 / f64::from(drawn));
    (took.client, took.issuing) = (share(took.client), share(took.issuing));
    if known.0 { Ok(took) } else { Err(CreditError::Unproven) }
}

fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let started = Instant::now();
    let result = work();
    (result, started.elapsed())
}
