//! From what objects are bound to, to what about it is not as it should be.

use super::super::image::CodeImage;
use super::super::loaded_object::LoadedObject;
use super::super::namespace::{Namespace, ObjectId};
use super::escapes::must_be_fronted;
use super::{Examination, Finding, FindingKind, Provider};

/// What there is to say since `id` was loaded: about it, and about peers for which it makes a difference.
pub fn findings(namespace: &Namespace, id: ObjectId) -> Vec<(ObjectId, Finding)> {
    let Some(object) = namespace.object(id) else { return Vec::new() };
    let Some(examination) = &object.examination else { return Vec::new() };
    let judge = Judge { namespace, object, examination };
    let mut own = Vec::new();
    judge.imports(&mut own);
    judge.own_hooks(&mut own);
    judge.inline(&mut own);
    judge.names(&mut own);
    own.sort();
    own.dedup();
    let mut findings: Vec<_> = own.into_iter().map(|finding| (id, finding)).collect();
    findings.extend(judge.weak_imports_of_earlier_peers(id));
    findings
}

struct Judge<'a> {
    namespace: &'a Namespace,
    object: &'a LoadedObject,
    examination: &'a Examination,
}

impl Judge<'_> {
    fn finding(&self, kind: FindingKind, symbol: &str, provider: impl ToString) -> Finding {
        let object = self.object.image.name.clone();
        Finding { kind, object, symbol: symbol.to_owned(), provider: provider.to_string() }
    }

    /// The other guests that are loaded.
    fn peers(&self) -> impl Iterator<Item = (ObjectId, &LoadedObject)> {
        let own = self.object.range().start;
        self.namespace.guests().filter(move |(_, peer)| peer.range().start != own)
    }

    fn imports(&self, findings: &mut Vec<Finding>) {
        let shim = self.namespace.object(ObjectId::SHIM).map(|shim| &*shim.image);
        for (symbol, provider) in self.examination.bindings.iter() {
            let kind = match provider {
                Provider::Vdso => Some(FindingKind::Vdso),
                Provider::Outside(_) => Some(FindingKind::OutsideNamespace),
                Provider::ThreadLocal => None,
                Provider::Nobody => {
                    let peer = self.peers().find(|(_, peer)| peer.image.export(symbol).is_some());
                    findings.extend(
                        peer.map(|(_, peer)| self.finding(FindingKind::WeakUnresolved, symbol, &peer.image.name)),
                    );
                    None
                }
                Provider::Peer(name) if shim.is_some_and(|shim| shim.name == *name) => None,
                Provider::Peer(_) if shim.is_some_and(|shim| shim.export(symbol).is_some()) => {
                    Some(FindingKind::HookBypassed)
                }
                Provider::Peer(name) if must_be_fronted(symbol) && self.is_foreign(name) => {
                    Some(FindingKind::HookBypassed)
                }
                Provider::Peer(name) => self.is_defined_later(symbol, name).then_some(FindingKind::FirstWins),
            };
            findings.extend(kind.map(|kind| self.finding(kind, symbol, provider)));
        }
    }

    /// Whether it is no guest: libraries of the system, which know nothing of virtual time.
    fn is_foreign(&self, name: &str) -> bool {
        !self.namespace.guests().any(|(_, guest)| guest.image.name == name)
    }

    /// Whether the object, or one that it needs, has a definition that `provider` came before.
    fn is_defined_later(&self, symbol: &str, provider: &str) -> bool {
        let is_strong = |image: &CodeImage| {
            let unique = image.made_global.iter().any(|unique| unique == symbol);
            image.export(symbol).is_some_and(|export| !export.weak) && !unique
        };
        let needed =
            |image: &CodeImage| image.soname.as_ref().is_some_and(|soname| self.object.image.needed.contains(soname));
        let own =
            std::iter::once(self.object).chain(self.peers().map(|(_, peer)| peer).filter(|peer| needed(&peer.image)));
        own.filter(|object| object.image.name != provider).any(|object| is_strong(&object.image))
    }

    /// Functions of the shim that the object defines for itself in such a way that its calls cannot arrive there.
    fn own_hooks(&self, findings: &mut Vec<Finding>) {
        let Some(shim) = self.namespace.object(ObjectId::SHIM) else { return };
        let by_name = |symbol: &str| self.examination.bindings.provider(symbol).is_some();
        for export in self.object.image.exports.iter().filter(|export| export.is_final || self.examination.symbolic) {
            if shim.image.export(&export.name).is_some() && !by_name(&export.name) {
                findings.push(self.finding(FindingKind::HookBypassed, &export.name, &self.object.image.name));
            }
        }
    }

    fn inline(&self, findings: &mut Vec<Finding>) {
        let uses = self.examination.inline.iter();
        findings.extend(uses.map(|used| self.finding(used.kind, &used.function, used.instruction)));
    }

    /// Other code under the name of a peer, or under the name by which others need a peer.
    fn names(&self, findings: &mut Vec<Finding>) {
        let image = &self.object.image;
        for (_, peer) in self.peers().filter(|(_, peer)| peer.image.content != image.content) {
            let peer = &peer.image;
            let soname = image.soname.as_ref().filter(|soname| peer.soname.as_ref() == Some(soname));
            let name = Some(&image.name).filter(|name| peer.name == **name).or(soname);
            let holder =
                |name: &String| self.finding(FindingKind::NameReuse, name, format!("{} {}", peer.name, peer.content));
            findings.extend(name.map(holder));
        }
    }

    /// Imports of peers that were left null before this object came, which defines them.
    fn weak_imports_of_earlier_peers(&self, own: ObjectId) -> Vec<(ObjectId, Finding)> {
        let image = &self.object.image;
        let mut findings = Vec::new();
        for (id, peer) in self.peers().filter(|(id, _)| *id < own) {
            let Some(examination) = &peer.examination else { continue };
            let null = examination.bindings.iter().filter(|(_, provider)| **provider == Provider::Nobody);
            for (symbol, _) in null.filter(|(symbol, _)| image.export(symbol).is_some()) {
                let (object, symbol, provider) = (peer.image.name.clone(), symbol.to_owned(), image.name.clone());
                findings.push((id, Finding { kind: FindingKind::WeakUnresolved, object, symbol, provider }));
            }
        }
        findings
    }
}
