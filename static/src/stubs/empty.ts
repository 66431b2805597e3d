/** Stands in for Node modules that browser code asks for in branches it never takes. */
export default {};
