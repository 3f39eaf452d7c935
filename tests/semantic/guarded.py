"""The sample model with the policies of the contract's section 8, and some more of each kind.

The groups: `reader` sees the model, `analyst` asks over REST alone, `partner` is under the same
policies and may use GraphQL, `opener` has GraphQL and no data, all others are `default`.
"""

from tests.semantic.places import files

MASKED = """
      - name: name
        sql: name
        type: string
        meta:
          secure:
            func: md5
            user_groups: {includes: [analyst, partner]}
      - name: wealth
        sql: credit
        type: number
        meta:
          secure: {func: redact, user_groups: [partner]}
      - name: since
        sql: signed_up
        type: time
        meta:
          secure: {func: redact, user_groups: [partner]}
      - name: born
        sql: signed_up
        type: time
        public: false
"""
SEGMENT = """
      - name: lyon_only
        sql: "{TABLE}.city = 'Lyon'"
        meta:
          secure:
            user_groups: {includes: "*", excludes: [default]}
"""
GROUPS = """
  - name: partner
    includes:
      - users:id:pia
  - name: opener
    api_scopes: [graphql]
    includes:
      - users:id:gus
"""
BACKSTAGE = """
views:
  - name: backstage
    public: false
    tables:
      - join_path: customers
        includes: [name, count]
"""


def guarded() -> dict[str, str]:
    """The files of the model."""
    found = files()
    text = found["tables/customers.yml"]
    plain = "      - name: name\n        sql: name\n        type: string\n        meta:\n          pii: true\n"
    assert plain in text
    found["tables/customers.yml"] = text.replace(plain, MASKED[1:]).rstrip() + SEGMENT
    before = "  - name: default\n"
    assert before in found["user_groups.yml"]
    found["user_groups.yml"] = found["user_groups.yml"].replace(before, GROUPS[1:] + before)
    return {**found, "views/backstage.yml": BACKSTAGE}
