//! Taking over from a process that was killed. It lets go of its locks only when the kernel has ended it, which takes a moment
//! on a busy machine: who comes next tries again for a while before it says that somebody else is at work.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// Makes attempts until one fails for another reason than `is_held`, or succeeds, or `patience` is over.
///
/// # Errors
/// That of the last attempt.
pub(crate) fn take_over<T, E>(
    patience: Duration,
    is_held: impl Fn(&E) -> bool,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let deadline = Instant::now() + patience;
    loop {
        match attempt() {
            Err(error) if is_held(&error) && Instant::now() < deadline => thread::sleep(PAUSE),
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: &str = "held";

    #[test]
    fn it_tries_again_only_while_somebody_holds_it_and_not_for_ever() {
        let attempts = |patience, outcomes: &[Result<u8, &'static str>]| {
            let mut next = outcomes.iter().copied();
            let mut last = outcomes[outcomes.len() - 1];
            let outcome = take_over(
                patience,
                |error| *error == HELD,
                || {
                    last = next.next().unwrap_or(last);
                    last
                },
            );
            (outcome, next.count())
        };
        let patience = Duration::from_secs(60);
        assert_eq!(attempts(patience, &[Err(HELD), Err(HELD), Ok(1), Ok(2)]), (Ok(1), 1));
        assert_eq!(attempts(patience, &[Err(HELD), Err("other"), Ok(1)]), (Err("other"), 1));
        assert_eq!(attempts(Duration::from_millis(50), &[Err(HELD)]), (Err(HELD), 0));
    }
}
