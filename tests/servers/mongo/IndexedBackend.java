import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.h2.H2Collection;
import de.bwaldvogel.mongo.backend.h2.H2Database;
import de.bwaldvogel.mongo.bson.Document;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;

/** The library's store on an H2 file, with the indexes that it leaves out: all but the unique ones, ranges and orders. */
final class IndexedBackend extends H2Backend {

    IndexedBackend(String file) {
        super(file);
    }

    @Override
    protected MongoDatabase openOrCreateDatabase(String database) {
        MVStore store = getMvStore();
        CursorRegistry cursors = getCursorRegistry();
        // Anonymous, because the constructor above it opens collections already and needs the store by then.
        return new H2Database(database, store, cursors) {
            @Override
            protected MongoCollection<Object> openOrCreateCollection(String name, CollectionOptions options) {
                String path = getFullCollectionNamespace(name);
                MVMap<Object, Document> data = store.openMap("databases." + path);
                return new IndexedCollection(this, name, options, data, store.openMap("meta." + path), cursors);
            }

            @Override
            protected Index<Object> openOrCreateSecondaryIndex(
                    String collection, String index, List<IndexKey> keys, boolean isSparse) {
                return new OrderedIndex(index, keys, isSparse);
            }
        };
    }

    private static final class IndexedCollection extends H2Collection {
        private static final String ORDER = "+order";

        private IndexedCollection(
                MongoDatabase database,
                String name,
                CollectionOptions options,
                MVMap<Object, Document> data,
                MVMap<String, Object> meta,
                CursorRegistry cursors) {
            super(database, name, options, data, meta, cursors);
        }

        /** A unique index answers only by its whole value: a second one beside it knows the order. */
        @Override
        public synchronized void addIndex(Index<Object> index) {
            super.addIndex(index);
            if (index.isUnique() && getIdField() != null) {
                boolean isSparse = index.toIndexDescription().containsKey("sparse");
                super.addIndex(new OrderedIndex(index.getName() + ORDER, index.getKeys(), isSparse));
            }
        }

        @Override
        public synchronized void dropIndex(String name) {
            super.dropIndex(name);
            getIndexes().removeIf(index -> index.getName().equals(name + ORDER));
        }

        @Override
        protected synchronized QueryResult queryDocuments(
                Document query, Document orderBy, int skip, int limit, int batchSize, Document fields) {
            Map<String, Bounds> bounds = Bounds.of(query);
            Plan plan = getIndexes().stream()
                    .filter(OrderedIndex.class::isInstance)
                    .map(index -> Plan.through((OrderedIndex) index, bounds, orderBy))
                    .filter(Objects::nonNull)
                    .max(Comparator.comparingInt(Plan::worth))
                    .orElse(null);
            if (plan == null) {
                return super.queryDocuments(query, orderBy, skip, limit, batchSize, fields);
            }
            Stream<Document> candidates = plan.candidates().map(this::getDocument);
            Document sort = plan.isSorted() ? null : orderBy;
            return matchDocumentsFromStream(candidates, query, sort, skip, limit, batchSize, fields);
        }
    }
}
