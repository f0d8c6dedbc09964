//! What a customer does outside of sessions: pages viewed, orders placed.

use super::Error;
use super::db::Tx;
use super::fold::Place;
use crate::args;
use crate::control::event::Fact;

pub(super) async fn fold(tx: &mut Tx, place: Place, fact: &Fact) -> Result<(), Error> {
    if let Fact::ActivitySeen { customer, kind, title, url } = fact {
        let sql = "INSERT INTO activities (id, customer, kind, title, url, at) VALUES ($1, $2, $3, $4, $5, $6)";
        let id = format!("act_{:026}", place.seq);
        tx.run(sql, args![id, *customer, kind, title, url, place.at]).await?;
    }
    Ok(())
}
