//! Notes of an organisation: an example of what an application does, in the program itself. There with `EXAMPLE_NOTES` only.

use actix_web::{
    http::StatusCode,
    web::{Data, Path},
};
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{
        access::AccessRequest,
        notes::{self, Readable},
    },
    app::App,
    clock::Timestamp,
    db::Conn,
    error::{Error, Errors, Result},
    ids::{NoteId, UserId},
    model::organisation::Organisation,
    urls,
    web::{Input, Member, Query, Reply, member::Catalogue},
};

/// Notes on one page.
const A_PAGE: usize = 50;

/// The notes, the newest first, and the form for another.
#[derive(Template, Serialize)]
#[template(path = "notes.html")]
pub(crate) struct NotesPage {
    notes: Vec<NoteView>,
    next: Option<NoteId>,
    #[serde(skip)]
    organisation: Organisation,
    #[serde(skip)]
    can_create: bool,
    /// What was typed for a note that could not be kept, and for which one; nothing for a new one.
    #[serde(skip)]
    form: Form,
    #[serde(skip)]
    edited: Option<NoteId>,
    #[serde(skip)]
    errors: Errors,
}

/// A note as its reader sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NoteView {
    id: NoteId,
    text: String,
    /// Nothing where they belong to the organisation no more.
    author: Option<AuthorView>,
    created_at: Timestamp,
    changed_at: Timestamp,
    can_update: bool,
    can_delete: bool,
}

#[derive(Serialize)]
struct AuthorView {
    id: UserId,
    name: String,
}

/// What a note says.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    text: String,
}

/// Where the page before ended.
#[derive(Deserialize)]
pub(crate) struct Cursor {
    next: Option<NoteId>,
}

impl From<Readable> for NoteView {
    fn from(Readable { note, can_update, can_delete }: Readable) -> Self {
        let author = note.author.zip(note.author_name).map(|(id, name)| AuthorView { id, name });
        let (id, text, created_at, changed_at) = (note.id, note.text, note.created_at, note.changed_at);
        Self { id, text, author, created_at, changed_at, can_update, can_delete }
    }
}

/// `GET /organisations/{slug}/notes`
pub(crate) async fn index(me: Member<Catalogue>, query: Query<Cursor>, app: Data<App>) -> Result<Reply> {
    let (access, cursor) = (access(&me, &app)?, query.into_inner().next);
    Ok(Reply::page(app.read(move |conn| NotesPage::of(conn, &access, cursor.as_ref())).await?))
}

/// The question of who asks. Nothing is here where the example is off.
fn access(me: &Member<Catalogue>, app: &App) -> Result<AccessRequest> {
    if app.config().example_notes { Ok(me.access()) } else { Err(Error::NotFound) }
}

impl NotesPage {
    fn of(conn: &mut Conn, access: &AccessRequest, cursor: Option<&NoteId>) -> Result<Self> {
        let mine = access.decide(conn)?;
        // One more than a page tells whether there is another.
        let most = i64::try_from(A_PAGE + 1).map_err(Error::internal)?;
        let mut found = notes::list(conn, &mine, cursor, most)?;
        let has_more = found.len() > A_PAGE;
        found.truncate(A_PAGE);
        let notes: Vec<NoteView> = found.into_iter().map(NoteView::from).collect();
        Ok(Self {
            next: notes.last().filter(|_| has_more).map(|last| last.id.clone()),
            notes,
            can_create: notes::may_create(conn, &mine)?,
            organisation: mine.organisation,
            form: Form::default(),
            edited: None,
            errors: Errors::default(),
        })
    }
}

/// `POST /organisations/{slug}/notes`
pub(crate) async fn create(me: Member<Catalogue>, Input(form): Input<Form>, app: Data<App>) -> Result<Reply> {
    let (access, typed) = (access(&me, &app)?, form.clone());
    let asked = access.clone();
    let made = app.write(move |tx| notes::create(tx, &asked, &typed.text)).await;
    answer(&access, made, "The note is kept.", form, None, &app).await
}

/// `PUT /organisations/{slug}/notes/{note}` and `POST` for forms.
pub(crate) async fn update(
    me: Member<Catalogue>,
    path: Path<(String, NoteId)>,
    Input(form): Input<Form>,
    app: Data<App>,
) -> Result<Reply> {
    let (access, typed, (_, id)) = (access(&me, &app)?, form.clone(), path.into_inner());
    let (asked, note) = (access.clone(), id.clone());
    let changed = app.write(move |tx| notes::update(tx, &asked, &note, &typed.text)).await;
    answer(&access, changed, "The note is changed.", form, Some(id), &app).await
}

/// What came of a form: the note, or the page again with what was typed.
async fn answer(
    access: &AccessRequest,
    outcome: Result<Readable>,
    message: &str,
    form: Form,
    edited: Option<NoteId>,
    app: &App,
) -> Result<Reply> {
    let error = match outcome {
        Ok(note) => {
            let status = if edited.is_none() { StatusCode::CREATED } else { StatusCode::OK };
            return Reply::done(path_of(&access.slug), message)
                .status(status)
                .with("note", NoteView::from(note));
        }
        Err(error) => error,
    };
    let Error::Invalid(errors) = error else { return Err(error) };
    let asked = access.clone();
    let page = app.read(move |conn| NotesPage::of(conn, &asked, None)).await?;
    Ok(Reply::refused(NotesPage { form, edited, errors: errors.clone(), ..page }, Error::Invalid(errors)))
}

/// `DELETE /organisations/{slug}/notes/{note}` and `POST …/remove` for forms.
pub(crate) async fn remove(
    me: Member<Catalogue>,
    path: Path<(String, NoteId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (access, (slug, id)) = (access(&me, &app)?, path.into_inner());
    app.write(move |tx| notes::remove(tx, &access, &id)).await?;
    Ok(Reply::done(path_of(&slug), "The note is deleted."))
}

fn path_of(slug: &str) -> String {
    urls::organisation_page(slug, "notes")
}
