package identity

// formerKey is a key that was replaced.
type formerKey struct {
	key           Key
	receipts      *receiptSigner
	credentialIDs cache[string] // by kind 0 secret
}

// FormerCredentialIDs returns the ids that a secret had by the former keys, in their order.
func (r *Resolver) FormerCredentialIDs(kind, secret string) []string {
	if len(r.former) == 0 || secret == "" {
		return nil
	}
	out := make([]string, len(r.former))
	for i, f := range r.former {
		out[i] = cachedCredentialID(&f.credentialIDs, f.key, kind+"\x00"+secret)
	}
	return out
}

// openReceipt opens a receipt of the present key, or of a former one.
func (r *Resolver) openReceipt(token, tenant, method, path string, at int64) (receipt, error) {
	got, err := r.receipts.Open(token, tenant, method, path, at)
	for i := 0; err == errReceiptMAC && i < len(r.former); i++ {
		got, err = r.former[i].receipts.Open(token, tenant, method, path, at)
	}
	return got, err
}
