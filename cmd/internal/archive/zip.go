package archive

import (
	"archive/zip"
	"io"
)

// Zip writes a zip file. Two with the same files have the same bytes.
type Zip struct{ z *zip.Writer }

// NewZip returns a writer of a zip file.
func NewZip(w io.Writer) *Zip { return &Zip{zip.NewWriter(w)} }

// Add writes one file.
func (z *Zip) Add(name string, write func(io.Writer) error) (Entry, error) {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	//lint:ignore SA1019 Modified would add a field to each header; this is epoch
	h.ModifiedDate = 1<<5 | 1
	w, err := z.z.CreateHeader(h)
	if err != nil {
		return Entry{}, err
	}
	return summed(w, name, write)
}

// Close ends the file.
func (z *Zip) Close() error { return z.z.Close() }
