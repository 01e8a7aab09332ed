"use strict";

/* Relative, so that the page also works behind a proxy that adds a prefix. Tokens are kept in this tab's memory only. */
SwaggerUIBundle({
    url: new URL("openapi.json", document.baseURI).href,
    dom_id: "#viewer",
    deepLinking: true,
    persistAuthorization: false,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
});
