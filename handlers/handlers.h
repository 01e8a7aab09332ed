#ifndef WEIR_HANDLERS_HANDLERS_H
#define WEIR_HANDLERS_HANDLERS_H

#include "gateway/http/reply.h"

/* What the route table (routes.c) names: one function an operation of openapi.yaml. */

/* docs.c: what a newcomer looks at; all public, none blocks */
handler_fn handle_root, handle_version;
handler_fn handle_openapi_json, handle_openapi_yaml, handle_docs, handle_docs_asset;
handler_fn handle_problem;

#endif
