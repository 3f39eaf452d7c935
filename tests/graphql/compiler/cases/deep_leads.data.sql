-- What DEEP's leads will need at least, and what the fields of the operation will be declared as:
--
--   @sql_type(t.leads, policy=may_read_lead)
--   class Lead(Node, Timestamped):
--       number: int = column(t.leads.c.id, ...)
--       title / source_raw / website / url / text: str = column(...)
--       status: LeadStatus = column(t.leads.c.status, ...)          -- NOT_TAGGED, IN_PROGRESS, TAGGED
--       priority: LeadPriority = column(t.leads.c.priority, ...)
--       confidentiality: LeadConfidentiality = column(t.leads.c.confidentiality, ...)
--       published_on: date | None = column(t.leads.c.published_on, ...)
--       assignee: User | None = one("User", t.leads.c.assignee_id, ...)
--       lead_group: LeadGroup | None = one("LeadGroup", t.leads.c.lead_group_id, ...)
--       attachment: Attachment | None = one("Attachment", t.leads.c.attachment_id, ...)
--       duplicate_count: int = expression(others of the same url that may_read_lead, ...)
--   def may_read_lead(row):      -- two permissions: all leads, or all but confidential ones
--       return or_(VIEWER.holds("lead.read", row.project_id),
--                  and_(VIEWER.holds("lead.read_unprotected", row.project_id),
--                       row.confidentiality != "confidential"))
--
-- The two permissions do not exist yet; the test gives the viewer the narrower one.

create table lead_groups (
  id bigint primary key, project_id bigint not null references projects, title text not null
);
create table attachments (
  id bigint primary key, project_id bigint references projects, title text not null,
  mime_type text not null, key text not null
);
create table leads (
  id bigint primary key, project_id bigint not null references projects, title text not null,
  source_raw text not null default '', url text not null default '', status text not null default 'not_tagged',
  priority text not null default 'low', confidentiality text not null default 'unprotected',
  published_on date, assignee_id bigint references users, lead_group_id bigint references lead_groups,
  attachment_id bigint references attachments, created_by bigint references users,
  created_at timestamptz not null, updated_at timestamptz not null, version integer not null default 1
);
create index on leads (project_id, updated_at desc, created_at desc, id desc);
create index on leads (project_id, url) where url <> '';

insert into lead_groups values (1, 1, 'Floods');
insert into attachments values (1, 1, 'report.pdf', 'application/pdf', 'attachments/1');
insert into leads values
  (1, 1, 'Flood report', 'Relief web', 'https://a.test/1', 'not_tagged', 'high', 'unprotected', '2026-05-01',
    101, 1, 1, 101, '2026-05-02T00:00:00Z', '2026-05-03T00:00:00Z', 2),
  (2, 1, 'Flood notes', '', 'https://a.test/1', 'tagged', 'low', 'confidential', null, null, 1, null, 101,
    '2026-05-02T00:00:00Z', '2026-05-04T00:00:00Z', 1),
  (3, 1, 'Same flood', '', 'https://a.test/1', 'in_progress', 'medium', 'restricted', '2026-05-02',
    null, null, null, null, '2026-05-02T00:00:00Z', '2026-05-03T00:00:00Z', 1),
  (4, 1, 'Drought', '', '', 'not_tagged', 'low', 'unprotected', null, null, null, null, null,
    '2026-05-02T00:00:00Z', '2026-05-01T00:00:00Z', 1),
  (5, 102, 'Flood far away', '', '', 'not_tagged', 'low', 'unprotected', null, null, null, null, null,
    '2026-05-02T00:00:00Z', '2026-05-01T00:00:00Z', 1);
