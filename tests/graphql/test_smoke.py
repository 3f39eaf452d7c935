async def test_smoke(client, owner_token):
    headers = {"Authorization": f"Bearer {owner_token}"}
    q = """{ me { id username memberships { role { name } project { uuid viewerPermissions } } }
      users { totalCount nodes { username } } roles { name } sessions { nodes { isCurrent user { username } } }
      projects { edges { cursor node { uuid } } pageInfo { hasNextPage } } }"""
    a = await client.post("/v2/graphql", json={"query": q}, headers=headers)
    print(a.status_code, a.json())
    assert "errors" not in a.json()
    m = """mutation { pipelineCreate(input: {name: "arwen-starlight"}) { pipeline { id uuid blocks { uuid } } errors { message code path } }
       a: blockCreate(input: {pipeline: {uuid: "arwen_starlight"}, name: "load", type: DATA_LOADER}) { block { uuid content downstreamBlocks isReady } errors { message } }
       b: blockCreate(input: {pipeline: {uuid: "arwen_starlight"}, name: "clean", type: TRANSFORMER, upstreamBlocks: ["load"]}) { block { uuid upstreamBlocks pipeline { uuid } } errors { message } }
       t: triggerCreate(input: {pipeline: {uuid: "arwen_starlight"}, name: "api", type: API}) { trigger { number token nextRunDate } errors { message } }
       r: pipelineRunCreate(input: {of: {pipeline: {uuid: "arwen_starlight"}}}) { run { id number status steps { name status } } errors { message } } }"""
    a = await client.post("/v2/graphql", json={"query": m}, headers=headers)
    print(a.status_code, a.json())
    assert "errors" not in a.json()
    q = """{ pipelines(where: {uuid: {contains: "arwen"}}) { totalCount nodes { uuid blocks { uuid downstreamBlocks } triggers { name runCount lastRunStatus } runs(first: 2) { totalCount nodes { number status stepCount } } } }
      runs { totalCount nodes { __typename id status ... on PipelineRun { number variables pipelineUuid } } }
      pipelineRuns(first: 1, orderBy: [{field: EXECUTION_DATE, direction: DESC}]) { edges { cursor node { number events { nodes { seq kind status } } } } pageInfo { endCursor hasNextPage } }
      runSteps { nodes { number name } } }"""
    a = await client.post("/v2/graphql", json={"query": q}, headers=headers)
    print(a.status_code, a.json())
    assert "errors" not in a.json()
