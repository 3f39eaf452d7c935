import{n as e,t}from"./graphiql-Ca5muAdh.js";import{i as n,t as r}from"./react-C-O_KnA_.js";import{i,n as a,pt as o}from"./graphql-CPyqyao0.js";(function(){let e=document.createElement(`link`).relList;if(e&&e.supports&&e.supports(`modulepreload`))return;for(let e of document.querySelectorAll(`link[rel="modulepreload"]`))n(e);new MutationObserver(e=>{for(let t of e)if(t.type===`childList`)for(let e of t.addedNodes)e.tagName===`LINK`&&e.rel===`modulepreload`&&n(e)}).observe(document,{childList:!0,subtree:!0});function t(e){let t={};return e.integrity&&(t.integrity=e.integrity),e.referrerPolicy&&(t.referrerPolicy=e.referrerPolicy),t.credentials=e.crossOrigin===`use-credentials`?`include`:e.crossOrigin===`anonymous`?`omit`:`same-origin`,t}function n(e){if(e.ep)return;e.ep=!0;let n=t(e);fetch(e.href,n)}})();var s=r(),c=`isthmus:api-key`;function l(){let e=new URLSearchParams(location.hash.slice(1).replaceAll(`+`,`%2B`)).get(`key`);e!==null&&(history.replaceState(null,``,location.pathname+location.search),e?sessionStorage.setItem(c,e):sessionStorage.removeItem(c))}function u(e){let t=sessionStorage.getItem(c),n=Object.keys(e).some(e=>e.toLowerCase()===`x-api-key`);return t&&!n?{"X-API-Key":t,...e}:e}function d(e){return Object.fromEntries(Object.entries(u(e)).map(([e,t])=>{let n=e.toLowerCase();return[n===`x-api-key`?`apiKey`:n,t]}))}var f=new URL(location.pathname,location.origin),p=new URL(f);p.protocol=f.protocol===`https:`?`wss:`:`ws:`;var m=(t,n)=>{let r=n?.headers??{},o=e({url:f.href,enableIncrementalDelivery:!1,wsClient:a({url:p.href,connectionParams:d(r),retryAttempts:0})}),s=h(t.query),c=(s&&(i(s,t.operationName)??i(s)))?.name?.value??t.operationName,l={accept:`application/graphql-response+json`,...u(r)};return o({...t,operationName:c},{...n,headers:l,documentAST:s})};function h(e){try{return o(e)}catch{return}}var g=n(),_=`# Ctrl+Enter runs, Ctrl+Space completes,
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
`;l(),addEventListener(`hashchange`,l),(0,s.createRoot)(document.getElementById(`playground`)).render((0,g.jsx)(t,{fetcher:m,defaultQuery:_,shouldPersistHeaders:!1,children:(0,g.jsx)(t.Logo,{children:(0,g.jsx)(`a`,{className:`playground-logo`,href:`/`,children:`Isthmus playground`})})}));