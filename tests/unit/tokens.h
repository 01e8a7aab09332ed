#ifndef WEIR_TESTS_TOKENS_H
#define WEIR_TESTS_TOKENS_H

#include <openssl/evp.h>

#include "gateway/http/key.h"

/* Keys made in memory and tokens signed with them, good and bad, independently of the code under test. */
enum signer { BY_HS, BY_HS_OTHER, BY_RS, BY_RS_OTHER, BY_PS, BY_PS_SALT0, BY_ES, BY_P384, BY_ED, BY_RSA_PEM,
              BY_RS_WEAK, SIGNERS };

#define TOKEN_SECRET "0123456789abcdef0123456789abcdef"

EVP_PKEY *token_pkey(enum signer by);            /* made once; NULL for secrets */
struct slice token_pem(enum signer by);          /* its public key; static memory */
struct slice token_private_pem(enum signer by);
struct key *token_key(enum signer by, enum key_alg alg, const char *kid); /* as the program would load it */
char *token_sign(enum signer by, const char *header, const char *claims); /* the caller frees */
char *token_seal(enum signer by, const char *input);                      /* input.signature */
void tokens_free(void);

#endif
