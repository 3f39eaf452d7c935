import { GraphiQL } from 'graphiql'
import 'graphiql/style.css'
import { createRoot } from 'react-dom/client'

import { takeKeyFromAddress } from './credential'
import { fetcher } from './fetcher'
import './playground.css'

const FIRST_QUERY = `# Ctrl+Enter runs, Ctrl+Space completes,
# the book icon opens the docs.
#
# Your API key: open this page as
#   ${location.pathname}#key=YOUR_KEY
# (kept until the tab closes), or write
#   { "X-API-Key": "YOUR_KEY" }
# under Headers and reload the schema.

{
  me {
    username
  }
  pipelines(first: 10) {
    nodes {
      uuid
      name
    }
  }
}
`

takeKeyFromAddress()
// The page may already be open when a link with another key is followed.
addEventListener('hashchange', takeKeyFromAddress)

createRoot(document.getElementById('playground')!).render(
  <GraphiQL fetcher={fetcher} defaultQuery={FIRST_QUERY} shouldPersistHeaders={false}>
    <GraphiQL.Logo>
      <a className="playground-logo" href="/">
        Isthmus playground
      </a>
    </GraphiQL.Logo>
  </GraphiQL>,
)
