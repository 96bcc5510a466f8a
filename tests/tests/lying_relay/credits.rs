//! Credits that tell whose they are, or that are none; and what a relay can tell of honest ones.

use nightdrop_client::{
    ClientError,
    relay::RelayLane,
    transfer::{self, TicketTerms},
};
use nightdrop_credit::Issuer;
use nightdrop_tests::{
    lying::{
        Asked, Canaries, Honest, Stage,
        lies::{Alter, Refuse, on},
    },
    memory::{Person, address, patient},
};
use nightdrop_wire::{
    codec,
    denomination::Denomination,
    endpoint::Endpoint,
    messages::{
        blob::CreateBlob,
        credit::{CreditOrder, Credits},
        relay::RelayInfo,
    },
    refusal::Refusal,
};
use rand08::rngs::OsRng;
use sha2::{Digest, Sha256};
use std::{
    fs,
    sync::{Arc, Mutex},
};

fn drawing(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::FetchCredits | Endpoint::RefundBlob(_))
}

/// What was ordered, answered with another key: each credit would pay, and be known again.
fn issued_with(key: &Issuer, asked: &Asked) -> Credits {
    let order: CreditOrder = codec::decode(&asked.body).unwrap();
    key.issue(&order, order.assortment().unwrap(), &mut OsRng).unwrap()
}

#[tokio::test]
async fn credits_that_are_made_for_one_account_are_refused() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let lies: [fn(&Asked, &mut Credits); 7] = [
        |asked, credits| *credits = issued_with(&Issuer::from_seed(&[1; 32]).unwrap(), asked),
        |_, credits| credits.parts[0].evaluated.swap(0, 1),
        |_, credits| credits.parts[0].evaluated.truncate(2),
        |_, credits| {
            let again = credits.parts[0].evaluated[0];
            credits.parts[0].evaluated.push(again);
        },
        |_, credits| credits.parts[0].proof[0] ^= 1,
        // Another denomination than was asked for would be known by it.
        |_, credits| credits.parts[0].denomination = Denomination::Small,
        |_, credits| credits.parts.push(credits.parts[0].clone()),
    ];
    for lie in lies {
        stage.liar.tell(on(drawing, Alter::<Credits, _>::by(lie)));
        let refused = person.credits(3).await;
        assert!(matches!(refused, Err(ClientError::MarkedCredits(_))), "{refused:?}");
    }
    stage.liar.tell(Honest);
    assert_eq!(person.credits(3).await.unwrap().len(), 3);
}

/// Whoever is told another key when the account is made pins that one: what the honest relay issues is then refused, and said to be.
#[tokio::test]
async fn a_key_that_was_given_to_one_account_only_does_not_pass_for_everybodys() {
    let stage = Stage::set().await;
    let own = Issuer::from_seed(&[1; 32]).unwrap().public_key();
    let asking = |endpoint: &Endpoint| matches!(endpoint, Endpoint::RelayInfo);
    let change = move |_: &Asked, info: &mut RelayInfo| info.issuing_key = own;
    stage.liar.tell(on(asking, Alter::<RelayInfo, _>::by(change)));
    let person = Person::register(&stage.transport, &stage.honest).await.unwrap();
    stage.liar.tell(Honest);
    let refused = person.credits(1).await;
    assert!(matches!(refused, Err(ClientError::MarkedCredits(_))), "{refused:?}");
}

/// What an account pins.
async fn pinned_by(person: &Person) -> [u8; 32] {
    *person.log_in().await.unwrap().keyring().issuing_key()
}

#[tokio::test]
async fn what_a_destroyed_file_gives_back_is_like_everybodys_or_refused() {
    let (stage, directory) = (Stage::set().await, tempfile::tempdir().unwrap());
    let person = stage.person().await;
    let pinned = pinned_by(&person).await;
    let mut lane = RelayLane::isolated(&person.transport, &address(), &patient());
    let file = directory.path().join("file");
    let mut refund = async || {
        fs::write(&file, [7; 100]).unwrap();
        let (stored, _) = person.put(&file).await.unwrap();
        transfer::destroy(&mut lane, stored.blob, &stored.write_key).await.unwrap()
    };
    let refunds = [refund().await, refund().await, refund().await];
    assert!(refunds.iter().all(|refund| refund.units() == 4_095), "{refunds:?}");
    let [marked, withheld, honest] = refunds;
    let refunding = |endpoint: &Endpoint| matches!(endpoint, Endpoint::RefundBlob(_));
    let other_key = |asked: &Asked, credits: &mut Credits| {
        *credits = issued_with(&Issuer::from_seed(&[1; 32]).unwrap(), asked);
    };
    stage.liar.tell(on(refunding, Alter::<Credits, _>::by(other_key)));
    let refused = marked.claim(&mut lane, &pinned).await;
    assert!(matches!(refused, Err(ClientError::MarkedCredits(_))), "{refused:?}");
    stage.liar.tell(on(refunding, Refuse(Refusal::Refused)));
    assert!(matches!(withheld.claim(&mut lane, &pinned).await, Err(ClientError::Withheld)));
    stage.liar.tell(Honest);
    let given = honest.claim(&mut lane, &pinned).await.unwrap();
    assert_eq!(given.iter().map(|credit| credit.denomination().units()).sum::<u32>(), 4_095);
    // No session was shown for it.
    let asked = stage.liar.take_asked();
    let write_keys = asked.iter().filter(|asked| refunding(&asked.endpoint));
    let sessions: Vec<_> =
        asked.iter().filter(|asked| drawing(&asked.endpoint) && !refunding(&asked.endpoint)).collect();
    for shown in write_keys.map(|asked| asked.authorization.as_ref().unwrap()) {
        assert!(
            !sessions.is_empty() && sessions.iter().all(|asked| asked.authorization.as_ref() != Some(shown))
        );
    }
}

/// The relay's whole memory of drawing and spending, and its disk: nothing of the one is in the other.
#[tokio::test]
async fn nothing_that_is_sent_or_stored_ties_a_blob_to_an_account() {
    let (stage, directory) = (Stage::set().await, tempfile::tempdir().unwrap());
    let people = [stage.person().await, stage.person().await];
    let drawn: Arc<Mutex<Vec<u8>>> = Arc::default();
    let (copy, key) = (Arc::clone(&drawn), Issuer::from_seed(&[9; 32]).unwrap());
    let note = move |asked: &Asked, credits: &mut Credits| {
        let mut drawn = copy.lock().unwrap();
        drawn.extend(&asked.body);
        drawn.extend(codec::encode(credits).unwrap());
    };
    stage.liar.tell(on(drawing, Alter::<Credits, _>::by(note)));
    let (file, mut stored) = (directory.path().join("file"), Vec::new());
    for (n, person) in people.iter().enumerate() {
        fs::write(&file, [u8::try_from(n).unwrap(); 100]).unwrap();
        stored.push(person.put(&file).await.unwrap().0);
    }
    // What is given back for one that is destroyed pays for another.
    let (person, destroyed) = (&people[0], &stored[0]);
    let mut lane = RelayLane::isolated(&person.transport, &address(), &patient());
    let refund = transfer::destroy(&mut lane, destroyed.blob, &destroyed.write_key).await.unwrap();
    let mut given = refund.claim(&mut lane, &pinned_by(person).await).await.unwrap();
    fs::write(&file, [9; 100]).unwrap();
    person.put_with(given.remove(0), &file, TicketTerms::default()).await.unwrap();
    let heard = stage.liar.take_asked();
    let spent: Vec<_> = heard
        .iter()
        .filter(|asked| asked.endpoint == Endpoint::CreateBlob)
        .map(|asked| codec::decode::<CreateBlob>(&asked.body).unwrap().payment.remove(0))
        .collect();
    assert_eq!(spent.len(), people.len() + 1);
    let drawn = drawn.lock().unwrap().clone();
    let (mut parts, mut nullifiers) = (Canaries::default(), Canaries::default());
    for credit in &spent {
        for window in [credit.nonce(), credit.mark()].into_iter().flat_map(|part| part.windows(8)) {
            parts.add_bytes("a part of a credit", window);
        }
        nullifiers.add_bytes("nullifier", &Sha256::digest(credit.nonce()));
        assert!(!key.knows(credit), "only the relay knows its own");
    }
    assert_eq!(
        parts.found_in(&drawn),
        Vec::<String>::new(),
        "nothing that is spent was seen when it was drawn"
    );
    assert_eq!(
        nullifiers.found_below(stage.honest.directory()).len(),
        spent.len(),
        "that they are spent is on the disk"
    );
    assert_eq!(parts.found_below(stage.honest.directory()), Vec::<String>::new());
    let mut seen = Canaries::default();
    for window in drawn.chunks_exact(16) {
        seen.add_bytes("what was drawn", window);
    }
    assert_eq!(
        seen.found_below(stage.honest.directory()),
        Vec::<String>::new(),
        "of the drawing, only a count is"
    );
    // All of one season look alike.
    assert!(spent.iter().all(|credit| credit.expires() == spent[0].expires()));
    // The probe finds a credit that is no blind one: what is drawn is what is spent.
    let planted = [drawn.as_slice(), spent[0].nonce()].concat();
    assert!(!parts.found_in(&planted).is_empty());
}
