//! Calls that Terraform does not make in the acceptance tests, or not at a time that a test can
//! choose.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tonic::Request;

use super::super::call::Slot;
use super::super::ephemeral::{Ephemeral, Opened};
use super::super::proto::{
    apply_resource_change, close_ephemeral_resource, configure_provider, diagnostic,
    import_resource_state, open_ephemeral_resource, plan_resource_change,
    provider_server::Provider as _, read_resource, renew_ephemeral_resource,
    upgrade_resource_identity,
};
use super::super::resource::{Import, Plan, Resource};
use super::super::schema::{Computed, Tree, computed, optional, required};
use super::super::value::Type;
use super::super::{ephemeral, resource};
use super::*;

crate::model! {
    /// An office.
    struct Config {
        /// Where it is.
        room: Option<String> = optional(),
    }
}

crate::model! {
    /// A note.
    struct NoteModel {
        /// Its name.
        name: String = required(),
        /// The same.
        id: Computed<String> = computed().keep().identity(),
    }
}

/// Records its calls.
struct Office;

#[derive(Default)]
struct Book(Mutex<Vec<String>>);

impl Book {
    fn note(&self, what: &str, private: &[u8]) {
        let line = format!("{what} {}", String::from_utf8_lossy(private));
        self.0.lock().unwrap().push(line);
    }
}

impl Provider for Office {
    type Configured = Book;
    type Model = Config;

    fn configure(&self, _: &Tree<Config>) -> Result<Option<Book>> {
        Ok(Some(Book::default()))
    }

    fn resources(&self) -> Vec<Arc<dyn AnyResource<Book>>> {
        vec![resource::<Note>()]
    }

    fn ephemerals(&self) -> Vec<Arc<dyn AnyEphemeral<Book>>> {
        vec![ephemeral::<Pass>()]
    }
}

struct Note;

/// Appends a word to the private data.
fn longer(kept: &Bytes, word: &str) -> Bytes {
    [kept, word.as_bytes()].concat().into()
}

impl Resource for Note {
    type Model = NoteModel;
    type Provider = Book;

    const TYPE: &'static str = "office_note";

    async fn plan(_: Option<Arc<Book>>, plan: &mut Plan<NoteModel>) -> Result<()> {
        plan.private = longer(&plan.private, " planned");
        Ok(())
    }

    async fn create(
        call: Call<Book>,
        _: NoteModel,
        _: Tree<NoteModel>,
        _: Slot<NoteModel>,
    ) -> Result<()> {
        call.keep_private(longer(&call.private(), " created"));
        Err(Diagnostic::error("No paper").into())
    }

    async fn read(call: Call<Book>, state: NoteModel) -> Result<Option<NoteModel>> {
        call.keep_private(longer(&call.private(), " read"));
        Ok(Some(state))
    }

    async fn update(
        call: Call<Book>,
        _: NoteModel,
        planned: NoteModel,
        _: Tree<NoteModel>,
        slot: Slot<NoteModel>,
    ) -> Result<()> {
        call.keep_private(longer(&call.private(), " updated"));
        slot.put(&planned);
        Ok(())
    }

    async fn delete(call: Call<Book>, _: NoteModel) -> Result<()> {
        call.provider.note("delete", &call.private());
        Ok(())
    }

    async fn import(call: Call<Book>, what: Import<NoteModel>) -> Result<NoteModel> {
        call.keep_private("imported");
        Ok(note(&what.id()?))
    }
}

fn note(name: &str) -> NoteModel {
    NoteModel {
        name: name.to_owned(),
        id: Computed::Known(name.to_owned()),
    }
}

struct Pass;

impl Ephemeral for Pass {
    type Model = NoteModel;
    type Provider = Book;

    const TYPE: &'static str = "office_pass";

    async fn open(call: Call<Book>, config: NoteModel) -> Result<Opened<NoteModel>> {
        call.provider.note("open", config.name.as_bytes());
        Ok(Opened {
            private: Bytes::from(config.name.clone()),
            result: note(&config.name),
            renew_at: Some(at(10)),
        })
    }

    async fn renew(call: Call<Book>, private: Bytes) -> Result<Option<SystemTime>> {
        call.provider.note("renew", &private);
        Ok(Some(at(20)))
    }

    async fn close(call: Call<Book>, private: Bytes) -> Result<()> {
        call.provider.note("close", &private);
        Ok(())
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A configured provider.
async fn office() -> Service<Office> {
    let service = Service::new(Office, CancellationToken::new(), TaskTracker::new());
    let request = configure_provider::Request {
        config: write(&Value::object([("room", Value::Null)])),
        ..Default::default()
    };
    service
        .configure_provider(Request::new(request))
        .await
        .unwrap();
    service
}

fn noted(service: &Service<Office>) -> Vec<String> {
    let book = service.0.configured().unwrap();
    let lines = book.0.lock().unwrap();
    lines.clone()
}

fn wire(name: &str) -> Option<proto::DynamicValue> {
    use super::super::schema::Attr as _;
    write(&note(name).encode())
}

fn id_of(wire: Option<proto::DynamicValue>, attributes: &[&str]) -> String {
    let of = |name: &&str| ((*name).to_owned(), Type::String);
    let ty = Type::Object(attributes.iter().map(of).collect());
    let value = value::decode(&wire.unwrap().msgpack, &ty).unwrap();
    value.get("id").as_str().unwrap().to_owned()
}

fn identity_data(value: Value) -> proto::ResourceIdentityData {
    proto::ResourceIdentityData {
        identity_data: write(&value),
    }
}

#[track_caller]
fn all_well(diagnostics: &[proto::Diagnostic]) {
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
}

#[tokio::test]
async fn an_object_is_imported_by_its_identity() {
    let service = office().await;
    let by = |identity| import_resource_state::Request {
        type_name: Note::TYPE.to_owned(),
        identity: Some(identity_data(identity)),
        ..Default::default()
    };
    let known = Value::object([("id", "x".into())]);
    let imported = service.import_resource_state(Request::new(by(known))).await;
    let imported = imported.unwrap().into_inner();
    all_well(&imported.diagnostics);
    let [object] = &imported.imported_resources[..] else {
        panic!("{imported:?}");
    };
    assert_eq!(id_of(object.state.clone(), &["id", "name"]), "x");
    let identity = object.identity.clone().unwrap().identity_data;
    assert_eq!(id_of(identity, &["id"]), "x");
    assert_eq!(object.private, "imported");

    let empty = Value::object([("id", Value::Null)]);
    let refused = service.import_resource_state(Request::new(by(empty))).await;
    let refused = refused.unwrap().into_inner();
    assert!(refused.imported_resources.is_empty());
    assert!(
        refused.diagnostics[0].summary.contains("no id"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_stored_identity_is_read_again() {
    let service = office().await;
    let stored = |json: &str| upgrade_resource_identity::Request {
        type_name: Note::TYPE.to_owned(),
        version: 0,
        raw_identity: Some(proto::RawState {
            json: Bytes::from(json.to_owned()),
            ..Default::default()
        }),
    };
    let read = Request::new(stored(r#"{"id":"x"}"#));
    let read = service.upgrade_resource_identity(read).await.unwrap();
    let read = read.into_inner();
    all_well(&read.diagnostics);
    let identity = read.upgraded_identity.unwrap().identity_data;
    assert_eq!(id_of(identity, &["id"]), "x");

    let damaged = Request::new(stored(r#"{"id":["x"]}"#));
    let damaged = service.upgrade_resource_identity(damaged).await.unwrap();
    let damaged = damaged.into_inner();
    assert_eq!(damaged.upgraded_identity, None);
    assert_eq!(
        damaged.diagnostics[0].severity(),
        diagnostic::Severity::Error
    );
}

#[tokio::test]
async fn an_ephemeral_resource_is_renewed_and_closed() {
    let service = office().await;
    let open = open_ephemeral_resource::Request {
        type_name: Pass::TYPE.to_owned(),
        config: write(&Value::object([("name", "p".into()), ("id", Value::Null)])),
        ..Default::default()
    };
    let opened = service.open_ephemeral_resource(Request::new(open)).await;
    let opened = opened.unwrap().into_inner();
    all_well(&opened.diagnostics);
    assert_eq!(id_of(opened.result, &["id", "name"]), "p");
    assert_eq!(opened.renew_at.unwrap().seconds, 10);

    let renew = renew_ephemeral_resource::Request {
        type_name: Pass::TYPE.to_owned(),
        private: opened.private,
    };
    let renewed = service.renew_ephemeral_resource(Request::new(renew)).await;
    let renewed = renewed.unwrap().into_inner();
    all_well(&renewed.diagnostics);
    assert_eq!(renewed.renew_at.unwrap().seconds, 20);

    let close = close_ephemeral_resource::Request {
        type_name: Pass::TYPE.to_owned(),
        private: renewed.private,
    };
    let closed = service.close_ephemeral_resource(Request::new(close)).await;
    all_well(&closed.unwrap().into_inner().diagnostics);
    assert_eq!(noted(&service), ["open p", "renew p", "close p"]);
}

#[tokio::test]
async fn what_a_resource_keeps_for_itself_goes_from_call_to_call() {
    let service = office().await;
    let type_name = || Note::TYPE.to_owned();
    let planned = |private| {
        service.plan_resource_change(Request::new(plan_resource_change::Request {
            type_name: type_name(),
            prior_state: wire("x"),
            proposed_new_state: wire("y"),
            config: wire("y"),
            prior_private: private,
            ..Default::default()
        }))
    };
    let applied = |prior, after, private| {
        service.apply_resource_change(Request::new(apply_resource_change::Request {
            type_name: type_name(),
            prior_state: prior,
            planned_state: after,
            config: wire("y"),
            planned_private: private,
            ..Default::default()
        }))
    };
    let null = || write(&Value::Null);
    let failed = applied(null(), wire("x"), Bytes::new()).await;
    let failed = failed.unwrap().into_inner();
    assert_eq!(failed.diagnostics.len(), 1, "{failed:?}");
    assert_eq!(failed.private, " created", "also of what failed");

    let read = service.read_resource(Request::new(read_resource::Request {
        type_name: type_name(),
        current_state: wire("x"),
        private: failed.private,
        ..Default::default()
    }));
    let read = read.await.unwrap().into_inner();
    assert_eq!(read.private, " created read");
    let plan = planned(read.private).await.unwrap().into_inner();
    assert_eq!(plan.planned_private, " created read planned");
    let update = applied(wire("x"), wire("y"), plan.planned_private).await;
    let update = update.unwrap().into_inner();
    assert_eq!(update.private, " created read planned updated");
    let delete = applied(wire("y"), null(), update.private).await;
    all_well(&delete.unwrap().into_inner().diagnostics);
    assert_eq!(noted(&service), ["delete  created read planned updated"]);
}
