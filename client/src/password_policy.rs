//! Which passwords are refused. Judged here, on the user's machine; the relay never sees what is judged.

use crate::ClientError;
use nightdrop_login::password::Password;

/// zxcvbn's scale goes from 0 to 4; 3 is "safely unguessable: moderate protection from offline slow-hash scenario".
const LEAST_SCORE: zxcvbn::Score = zxcvbn::Score::Three;

/// Refuses a password that is easy to guess, with the estimator's advice.
pub(crate) fn check(password: &Password) -> Result<(), ClientError> {
    let estimate = zxcvbn::zxcvbn(password.secret_text(), &[]);
    if estimate.score() >= LEAST_SCORE {
        return Ok(());
    }
    let advice = estimate.feedback().and_then(|feedback| {
        let warning = feedback.warning().map(|warning| warning.to_string());
        warning.or_else(|| feedback.suggestions().first().map(ToString::to_string))
    });
    Err(ClientError::WeakPassword(advice.unwrap_or_else(|| "it is too short or too common".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_ones_are_refused_with_advice_and_strong_ones_pass() {
        for weak in ["", "password", "hunter2", "nightdrop", "aaaaaaaaaaaa", "qwertyuiop"] {
            let refused = check(&Password::new(weak));
            assert!(
                matches!(refused, Err(ClientError::WeakPassword(advice)) if !advice.is_empty()),
                "{weak}"
            );
        }
        assert!(check(&Password::new("plum orbit velvet cactus tide")).is_ok());
    }
}
