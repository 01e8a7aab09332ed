#ifndef WEIR_TESTS_TOKEN_EDITS_H
#define WEIR_TESTS_TOKEN_EDITS_H

/* What a forger does to the text of a token. Takes the token over and gives the edited one; the caller frees. */
typedef char *edit_fn(char *token);

edit_fn without_signature, without_last_part, signature_cut_by_one, signature_cut_by_four, signature_first_bit,
    padded, padded_twice, trailing_newline, trailing_junk, trailing_digits, trailing_dot, fourth_part,
    fifth_part, leading_space, leading_dot, leading_bearer, space_at_dot, comma_at_dot, claims_emptied,
    header_emptied, only_dots, no_dot, parts_swapped, signature_zeroed, signature_doubled, too_long,
    spare_bits_set, standard_alphabet, claims_replaced, header_replaced, halves_swapped, as_der, other_s,
    larger_s;

#endif
