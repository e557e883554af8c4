import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.KeyValue;
import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.backend.Missing;
import de.bwaldvogel.mongo.backend.Utils;
import de.bwaldvogel.mongo.bson.Document;
import java.util.Collection;
import java.util.List;
import java.util.NavigableSet;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/** An index in memory: by the values of its paths, then by id. It is filled anew whenever the file is opened. */
final class OrderedIndex extends Index<Object> {
    private final NavigableSet<Entry> entries = new TreeSet<>();
    private boolean holdsArrays;

    OrderedIndex(String name, List<IndexKey> keys, boolean sparse) {
        super(name, keys, sparse);
    }

    /** A document at its values (side 0), or the edge before (-1) or behind (1) all that begin with these values. */
    private record Entry(List<Object> values, int side, Object id) implements Comparable<Entry> {
        @Override
        public int compareTo(Entry other) {
            for (int i = 0; i < Math.min(values.size(), other.values.size()); i++) {
                int order = Bounds.ORDER.compare(values.get(i), other.values.get(i));
                if (order != 0) {
                    return order;
                }
            }
            return side != other.side ? Integer.compare(side, other.side) : Bounds.ORDER.compare(id, other.id);
        }
    }

    /** The indexed paths, the first first. */
    List<String> paths() {
        return keys();
    }

    /** Whether some document was ever found at several values: then its order is not that of a sort. */
    boolean holdsArrays() {
        return holdsArrays;
    }

    /** Whether documents without any of the paths are missing here. */
    boolean leavesOut() {
        return isSparse();
    }

    /** The ids from all that begin with the values of {@code low} to all that begin with those of {@code high}. */
    Stream<Object> between(List<Object> low, List<Object> high, boolean isDescending) {
        Entry first = new Entry(low, -1, null);
        Entry last = new Entry(high, 1, null);
        if (first.compareTo(last) > 0) {
            return Stream.empty();
        }
        NavigableSet<Entry> range = entries.subSet(first, true, last, true);
        return (isDescending ? range.descendingSet() : range).stream().map(Entry::id);
    }

    @Override
    public void checkAdd(Document document, MongoCollection<Object> collection) {
        getKeyValues(document);
    }

    @Override
    public void add(Document document, Object position, MongoCollection<Object> collection) {
        holdsArrays |= getKeyValues(document).size() != 1;
        entries.addAll(entriesOf(document));
    }

    @Override
    public Object remove(Document document) {
        entriesOf(document).forEach(entries::remove);
        return document.get("_id");
    }

    @Override
    public void checkUpdate(Document old, Document now, MongoCollection<Object> collection) {
        getKeyValues(now);
    }

    @Override
    public void updateInPlace(Document old, Document now, Object position, MongoCollection<Object> collection) {
        if (!nullAwareEqualsKeys(old, now)) {
            remove(old);
            add(now, position, collection);
        }
    }

    @Override
    public long getCount() {
        return entries.size();
    }

    @Override
    public long getDataSize() {
        return entries.size();
    }

    @Override
    public void drop() {
        entries.clear();
    }

    /** The position is told by the index of ids alone. */
    @Override
    public Object getPosition(Document document) {
        return null;
    }

    /** The plan asks in its own way, which the library's does not know. */
    @Override
    public boolean canHandle(Document query) {
        return false;
    }

    @Override
    public Iterable<Object> getPositions(Document query) {
        throw new UnsupportedOperationException();
    }

    private List<Entry> entriesOf(Document document) {
        Set<KeyValue> found = getKeyValues(document);
        Stream<List<Object>> rows = found.isEmpty()
                ? Stream.of(valuesBesideAnEmptyArray(document))
                : found.stream().map(values -> values.stream().toList());
        return rows.filter(values -> !isSparse() || values.stream().anyMatch(Objects::nonNull))
                .map(values -> new Entry(values, 0, document.get("_id")))
                .toList();
    }

    private List<Object> valuesBesideAnEmptyArray(Document document) {
        return paths().stream()
                .map(path -> Utils.getSubdocumentValueCollectionAware(document, path))
                .map(value -> value instanceof Collection || Missing.isNullOrMissing(value) ? null : value)
                .toList();
    }
}
