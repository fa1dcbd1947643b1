//! `get ..`.

use super::command::{Command, Listing, OfAction, ids, word};
use super::options::{Field, ServerField};
use super::refusal::Refusal;

pub(crate) fn read(rest: &[String]) -> Result<Command, Refusal> {
    let jail = word(rest, 0)?.to_owned();
    if let Some(field) = ServerField::named(&jail) {
        return Ok(Command::Get(field));
    }
    let name = word(rest, 1)?;
    let action = |what: OfAction| {
        let action = word(rest, 2)?.to_owned();
        Ok(Command::GetAction { jail: jail.clone(), action, what })
    };
    Ok(match name {
        "banned" => Command::JailBanned { jail, ids: ids(rest.get(2..).unwrap_or_default())? },
        "banip" => {
            let listing = match rest.get(2).map(String::as_str) {
                Some("--with-time") => Listing::WithTime,
                separator => Listing::Separated(separator.unwrap_or(" ").to_owned()),
            };
            Command::JailBans { jail, listing }
        }
        "action" => return action(OfAction::Property(word(rest, 3)?.to_owned())),
        "actionproperties" => return action(OfAction::Properties),
        "actionmethods" => return action(OfAction::Methods),
        _ => match Field::named(name) {
            Some(field) => Command::GetJail { jail, field },
            None => {
                let text = "Invalid command (no get action or not yet implemented)";
                return Err(Refusal::Said(text.to_owned()));
            }
        },
    })
}
