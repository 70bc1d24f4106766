//! Groups and forwarders: what else a domain has beside its accounts.

use super::administration::{Change, Changed};
use super::record::{decode_value, encode_value};
use super::{Directory, DirectoryFault, keys, unusable};
use crate::model::{AccountName, DomainName};
use crate::notation::{Dictionary, Value};
use crate::store::{ReadFault, Revision, Versioned};

/// What kind of object a name is that of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A dictionary of settings, `Members` among them.
    Group,
    /// The address that it leads to.
    Forwarder,
}

/// The key under which a group has the array of its members' names.
const MEMBERS: &str = "Members";

/// Objects read at a time.
const PAGE: usize = 1024;

impl Kind {
    fn key(self, name: &AccountName) -> Vec<u8> {
        match self {
            Self::Group => keys::group(name),
            Self::Forwarder => keys::forwarder(name),
        }
    }

    fn prefix(self, domain: &DomainName) -> Vec<u8> {
        match self {
            Self::Group => keys::groups(domain),
            Self::Forwarder => keys::forwarders(domain),
        }
    }
}

impl Directory {
    /// The object of that kind and name.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn object(&self, kind: Kind, name: &AccountName) -> Result<Option<Value>, ReadFault> {
        Ok(self.read_object(kind, name)?.map(|(_, value)| value))
    }

    /// Up to `count_max` objects of a domain in order, after the name `after`.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::Read`].
    pub fn objects(
        &self,
        kind: Kind,
        domain: &DomainName,
        after: Option<&AccountName>,
        count_max: usize,
    ) -> Result<Vec<(AccountName, Value)>, DirectoryFault> {
        self.expect_domain(domain)?;
        let prefix = kind.prefix(domain);
        let page = self.store.scan(&prefix, after.map(|name| kind.key(name)).as_deref(), count_max)?;
        let object = |(key, record): &(Vec<u8>, Versioned)| {
            let local = std::str::from_utf8(&key[prefix.len()..]).ok();
            let name = local.and_then(|local| AccountName::new(local, domain.clone()).ok());
            let name = name.ok_or_else(|| super::administration::bad_key(key))?;
            let value = decode_value(&record.bytes).map_err(|fault| unusable(&name.to_string(), fault))?;
            Ok((name, value))
        };
        page.iter().map(object).collect::<Result<_, ReadFault>>().map_err(DirectoryFault::Read)
    }

    /// What to commit to create an object.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::NameTaken`], the faults of the value,
    /// [`DirectoryFault::Read`].
    pub fn create_object(&self, kind: Kind, name: &AccountName, value: &Value) -> Changed {
        let image = encode_value(value)?;
        let (revision, _) = self.expect_domain(name.domain())?;
        let mut change = Change::default();
        change.expect(keys::domain(name.domain()), Some(revision));
        self.claim(&mut change, name)?;
        change.put(kind.key(name), image);
        change.put(keys::roster(name.domain()), Vec::new());
        Ok(change.0)
    }

    /// What to commit to let an object be `value`.
    ///
    /// # Errors
    /// [`DirectoryFault::NoObject`], the faults of the value, [`DirectoryFault::Read`].
    pub fn set_object(&self, kind: Kind, name: &AccountName, value: &Value) -> Changed {
        let (revision, _) = self.expect_object(kind, name)?;
        let mut change = Change::default();
        change.replace(kind.key(name), revision, encode_value(value)?);
        Ok(change.0)
    }

    /// What to commit to give an object another name; groups that have it as a member know it by
    /// the new one then.
    ///
    /// # Errors
    /// [`DirectoryFault::NoObject`], [`DirectoryFault::NoDomain`],
    /// [`DirectoryFault::NameTaken`], [`DirectoryFault::Read`].
    pub fn rename_object(&self, kind: Kind, old: &AccountName, new: &AccountName) -> Changed {
        let (revision, value) = self.expect_object(kind, old)?;
        // A group may be a member of itself.
        let value = without(kind, &value, old, Some(new)).unwrap_or(value);
        let (domain_revision, _) = self.expect_domain(new.domain())?;
        let mut change = Change::default();
        change.expect(keys::domain(new.domain()), Some(domain_revision));
        self.claim(&mut change, new)?;
        change.expect(kind.key(old), Some(revision));
        change.delete(kind.key(old));
        change.put(kind.key(new), encode_value(&value)?);
        change.put(keys::roster(new.domain()), Vec::new());
        self.carry_along(&mut change, old, Some(new))?;
        Ok(change.0)
    }

    /// What to commit to delete an object; it is then a member of no group.
    ///
    /// # Errors
    /// [`DirectoryFault::NoObject`], [`DirectoryFault::Read`].
    pub fn delete_object(&self, kind: Kind, name: &AccountName) -> Changed {
        let (revision, _) = self.expect_object(kind, name)?;
        let mut change = Change::default();
        change.expect(kind.key(name), Some(revision));
        change.delete(kind.key(name));
        self.carry_along(&mut change, name, None)?;
        Ok(change.0)
    }

    /// Adds to `change` what a new name of `old`, or its end, means for the groups and forwarders
    /// of its domain. Those that `change` itself deletes are not looked at again.
    pub(super) fn carry_along(
        &self,
        change: &mut Change,
        old: &AccountName,
        new: Option<&AccountName>,
    ) -> Result<(), DirectoryFault> {
        for kind in [Kind::Group, Kind::Forwarder] {
            let mut last: Option<AccountName> = None;
            loop {
                let page = self.objects(kind, old.domain(), last.as_ref(), PAGE)?;
                let Some((end, _)) = page.last() else { break };
                last = Some(end.clone());
                for (name, value) in page.iter().filter(|(name, _)| name != old) {
                    let Some(value) = without(kind, value, old, new) else { continue };
                    let (revision, _) = self.expect_object(kind, name)?;
                    change.replace(kind.key(name), revision, encode_value(&value)?);
                }
            }
        }
        Ok(())
    }

    fn read_object(&self, kind: Kind, name: &AccountName) -> Result<Option<(Revision, Value)>, ReadFault> {
        let Some(image) = self.store.read(&kind.key(name))? else { return Ok(None) };
        let value = decode_value(&image.bytes).map_err(|fault| unusable(&name.to_string(), fault))?;
        Ok(Some((image.revision, value)))
    }

    fn expect_object(&self, kind: Kind, name: &AccountName) -> Result<(Revision, Value), DirectoryFault> {
        self.read_object(kind, name)?.ok_or(DirectoryFault::NoObject)
    }
}

/// The record that was under `key` in the domain `old`, which has become `new`: addresses in `old`
/// that a group or a forwarder has are in `new`.
pub(super) fn readdressed(
    key: &[u8],
    record: Vec<u8>,
    old: &DomainName,
    new: &DomainName,
) -> Result<Vec<u8>, DirectoryFault> {
    if !matches!(key.first(), Some(b'G' | b'F')) {
        return Ok(record);
    }
    let moved = |address: Value| match address.as_str().and_then(|text| text.rsplit_once('@')) {
        Some((local, domain)) if domain.eq_ignore_ascii_case(old.as_str()) => {
            Value::from(format!("{local}@{new}").as_str())
        }
        Some(_) | None => address,
    };
    let value = decode_value(&record).map_err(|fault| DirectoryFault::Read(unusable("a group or forwarder", fault)))?;
    let Value::Dictionary(mut group) = value else { return encode_value(&moved(value)) };
    if let Some(Value::Array(members)) = group.remove(MEMBERS) {
        group.insert(MEMBERS, Value::Array(members.into_iter().map(moved).collect()));
    }
    encode_value(&Value::Dictionary(group))
}

/// `value` with the name `new` wherever it has `old`, or, of a group, without `old`. `None`: it
/// does not have it, or is a forwarder that shall lead nowhere else.
fn without(kind: Kind, value: &Value, old: &AccountName, new: Option<&AccountName>) -> Option<Value> {
    let full = old.to_string();
    let is_old = |value: &Value| {
        value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(old.local()) || text.eq_ignore_ascii_case(&full))
    };
    // Within the domain a name stays bare if it was written so.
    let renamed = |value: &Value| {
        let is_bare = value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(old.local()));
        let name = |new: &AccountName| match is_bare && new.domain() == old.domain() {
            true => Value::from(new.local()),
            false => Value::from(new.to_string().as_str()),
        };
        new.map(name)
    };
    match (kind, value) {
        (Kind::Group, Value::Dictionary(group)) => {
            let Some(Value::Array(members)) = group.get(MEMBERS) else { return None };
            if !members.iter().any(is_old) {
                return None;
            }
            let members = members.iter().filter_map(|it| if is_old(it) { renamed(it) } else { Some(it.clone()) });
            let mut group: Dictionary = group.clone();
            group.insert(MEMBERS, Value::Array(members.collect()));
            Some(Value::Dictionary(group))
        }
        (Kind::Forwarder, address) if is_old(address) => renamed(address),
        (Kind::Group | Kind::Forwarder, _) => None,
    }
}
